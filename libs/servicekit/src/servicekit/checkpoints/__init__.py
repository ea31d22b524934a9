"""A partition's checkpoint and its outbox, in the schema of the service that owns them.

Enters: how a batch moves a partition, and the records that have to leave. Leaves: which partitions moved, and what a
predecessor left unsent. No service writes a checkpoint but through `fence`;
`operations.checkpoints` and `operations.restores` do, when an operator accepts a loss or a restore.

Words: *checkpoint* (next offset, epoch, owner, marks), *epoch* and *fence* (only the process that raised the epoch last
may write), *mark* (the highest source applied, by which a repeat is known), *outbox* (records committed and not yet
acknowledged by Kafka).
"""
