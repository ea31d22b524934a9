"""A delivery becomes a request, and an answer gets its meaning. Enters: a leased delivery. Leaves: a `Result`.

The lease is looked at once more right before the first byte; secrets are put in last and are never stored. What an
answer means, and the code it gets, is said by `channel_requests` (with the channel's connector, package `channels`),
`webhooks` and `api_calls`; `sender` makes the attempt. Words: *attempt* (one try: its request, or all of its plan), *reading* (what an answer means),
*format* (how an endpoint wants its bodies).
"""
