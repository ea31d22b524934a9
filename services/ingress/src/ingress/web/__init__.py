"""The HTTP application: from a path and a method to a door's handler, and from any error to a problem.

In come ASGI requests; out go answers, after the caller was proved as the row of the route table asks. Words: a *place* is a path
with what answers each of its methods; a *page* is an answer outside /v1.
"""
