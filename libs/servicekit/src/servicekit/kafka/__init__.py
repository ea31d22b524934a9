"""Kafka's clients, and records in and out. Enters: settings, records to write. Leaves: records read, acknowledgements.

Clients are made in `clients` only; what is replaced or read inside of aiokafka lives in `inside_aiokafka` only.

Words: *cluster* (where Kafka is, how it lets us in, the topic prefix), *record* (as it was read), *outgoing* (as it will be
written), *source* (the record that caused another one), *reader* (of one partition without a group, or as a member of one),
*asker* (waits for replies), *publisher*.
"""
