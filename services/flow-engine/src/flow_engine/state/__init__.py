"""What a batch holds in memory, without I/O.

Enters: rows as the store read them. Leaves: a `Work`, all that the batch will save in one transaction.

Words: a *loaded conversation* is one conversation in the hands of a batch; *listeners* are who waits for its messages
(callers, attached instances) and its used links; *seen* are the ids of events that it has applied; a *patch* is a change
of a contact per attribute; an *outcome* is what became of an event.
"""
