"""What fields of entities hold, and how it is checked: URLs, CIDRs, event types, expressions, flow documents, credentials.

In come values as callers wrote them; out come values that can be stored, or a problem that points at the field.
"""
