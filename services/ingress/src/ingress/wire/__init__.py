"""Requests, answers and refusals as they stand on the wire, without anything of what they are about.

In come ASGI scopes and header values; out come `Request`, `Answer`, how long a caller wants to wait, and problems in the words
that callers read.
"""
