"""One event applied to its conversation, without I/O but for the sandbox's.

Enters: an `InboundEvent`, one decoded record with its loaded conversation. Leaves: rows, records and listeners in the batch's
`Work`, all of them or (past a limit) those of a failed turn.

Words: a *kind* of event says what the engine does itself before the interpreter steps; an *effect* is what a turn asks
for (flowlang), its *writer* turns it into a record or row; an *answer* is what the callers of an event hear.
"""
