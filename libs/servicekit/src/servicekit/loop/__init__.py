"""The partition loop: a topic's records take effect in Postgres and on other topics, once (docs/explanation/guarantees.md 2).

Enters: records of the partitions that the group gave us, and a service's `Handler`. Leaves: one transaction per batch
(checkpoint, the handler's rows, outbox), then the records that it said. Words: *batch*, *portion* (one partition's part of
it), *commit* (what the handler made of it), *recovery* (the one road back from whatever is not known to be good),
*parallel batches*, *dead record*.
"""
