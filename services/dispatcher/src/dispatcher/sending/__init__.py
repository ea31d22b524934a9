"""A delivery becomes a request, and an answer gets its meaning. Enters: a leased delivery. Leaves: a `Result`.

The lease is looked at once more right before the first byte; secrets are put in last and are never stored. What a platform's
answer means, its connector says (package `channels`). Words: *attempt* (one request), *reading* (what an answer means),
*format* (how an endpoint wants its bodies).
"""
