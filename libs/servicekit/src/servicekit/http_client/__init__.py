"""The one way in which a service calls a host of somebody else.

Enters: a request to a URL that a customer gave. Leaves: an answer, cut at a limit, or the reason why there is none; a
private address is refused before a connection is opened, after each redirect and each look-up anew. Words: *egress policy*
(which addresses may be reached), *answer*, *failure* (there was no answer, and whether the request may have arrived).
"""
