"""What a partition loop keeps in its service's schema: how far it is, who holds a partition, what Kafka has to get.

Enters: holds and steps of the loop, records to be published. Leaves: SQL, in the caller's transaction, and whether the
hold was still good. Words: *hold* (this process's right to a partition), *epoch* (raised with every takeover), *step* (how
a batch moves a checkpoint), *outbox row* (what a transaction has to say to Kafka).
"""
