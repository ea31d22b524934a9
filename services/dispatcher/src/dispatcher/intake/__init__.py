"""Records become deliveries. Enters: batches of `switchhook.actions.v1` and `switchhook.events.v1`. Leaves: delivery rows,
already leased, in the transaction that moves the checkpoint; first attempts follow from memory right after it.

Words: *takeover* (those rows, and what follows), *fan-out* (the endpoints that an event goes to), *day window* (the days
that deliveries may be of).
"""
