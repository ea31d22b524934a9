"""What runs on the partition loop: batches of inbound records, and timers and wakes of the loop's partitions.

Enters: records of `switchhook.inbound.v1`. Leaves: a `Commit`, the batch's `Work` to save in the loop's transaction, the
records that leave with it, and dead letters.

Words: a record is *person-keyed* while its conversation is not known, and *passed on* to it once found; a *repeat* is an
event that its conversation has applied before; a *redrive* applies the held events of a conversation; the engine *wakes* a conversation by one when its deferred turn is there.
"""
