"""The words of this service, as values; no I/O.

A *delivery* is one event or action for one target; an *attempt* is one HTTP request for it; a *result* is what an attempt,
or its omission, came to. A *delivery kind* says how deliveries of one sort are made, sent and reported. A *destination* is
what shares a concurrency, a rate, a pause and a circuit: `endpoint:<id>`, `channel:<id>`, `channel-call:<id>`, `api:<id>`
or `host:<project>/<host:port>`; two projects never share one. A *lane* is an ordered sequence of deliveries (a
conversation's messages, an ordered endpoint's events) of which only the first unfinished one, its *head*, may be sent. A
*lease* is the right to send a delivery and to record its outcome, until a moment.
"""
