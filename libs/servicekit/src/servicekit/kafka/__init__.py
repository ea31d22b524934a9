"""Kafka, as services see it: records in, records out, an answer to one who waits.

Enters: a `Cluster` (where Kafka is, how it lets us in, the topic prefix), topics by the names of contracts. Leaves: `Record`s
in order, `Outgoing` records acknowledged by all replicas, and a consumer that is replaced when it is stuck. Clients are made
in `clients`; what is replaced or read inside of aiokafka lives in `inside_aiokafka`. Words: *record*, *outgoing*, *source*
(the record that caused another one), *link* (a producer from its start to its first failure), *asker* (who waits for replies).
"""
