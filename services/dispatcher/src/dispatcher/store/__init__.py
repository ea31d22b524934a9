"""What the dispatcher keeps in PostgreSQL: all of its SQL, one module for each table, behind one port.

`port` says what may be asked (`DeliveryStore`, and a `Session` on one connection) and `postgres` answers; a twin in memory
is in tests/support. Enters: deliveries to take over, results to record, what was found about destinations. Leaves:
deliveries under a lease, records that Kafka has to get. `log` is what the API reads.

Owns the words *row*, *queue* (where to look for what is due: one for a destination's deliveries that any dispatcher may
claim, and one for each partition's lanes to it), *lease*, *look* (a queue's next moment to be looked at), *day* (a partition
of the tables) and *result outbox*.
"""
