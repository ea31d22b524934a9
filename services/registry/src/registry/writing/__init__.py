"""One write from its begin to its answer.

In comes a *work*, a function on a *unit* (a transaction, the project it is about, what it publishes); out goes its *answer*,
once the registry's own *tail* of the topic has seen the records, or `pending`. An Idempotency-Key makes it happen once.
"""
