"""A topic's records applied batch by batch, each effect once. Enters: a handler. Leaves: its effects, in Postgres and Kafka.

The way of a batch is drawn in `partition_loop`. Words: *batch* and *commit* (what a handler gets and gives), *portion* (one
partition's part of a batch), *position* (how far a checkpoint could move), *outlet* (publishes what was committed),
*recovery* (raise the epoch, publish what is unsent, seek, go on), *fenced* (another process holds the partition), *stopped*
(an operator has to decide).
"""
