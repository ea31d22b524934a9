"""What proves something, or has to stay secret. Enters: secrets and payloads. Leaves: texts that only we can make or open.

Words: *token* (an API credential), *sealed* (encrypted for one field of one entity), *link* (a signed and encrypted text in
a URL, bound to one purpose).
"""
