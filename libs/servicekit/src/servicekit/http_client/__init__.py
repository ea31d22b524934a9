"""The only way out over HTTP. Enters: a request and its limits. Leaves: an answer, or why there is none.

Words: *egress policy* (which addresses may be reached), *target* (a URL that was accepted), *guarded* (checked for each new
connection, and bounded in whatever comes back).
"""
