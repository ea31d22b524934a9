"""What comes of an attempt. Enters: results. Leaves: rows and attempts saved, and records that say so: to the engine, to who
waits, to subscribers, to the registry.

Here is decided whether a delivery ends or is tried again (`conclusions`; why, `sending` has read) and who hears of it
(`reports`). `failing_destinations` writes what is paused for all replicas, as the reading of an answer asked for it, and
pauses an endpoint that had no success for 5 days.

`outcomes` is only the queue before the `recorder`.

Words: *outcome* (how an attempt ended), *code* (the word to count by, in the log of deliveries), *pause*, *report* (the
records that tell of a result), *retention*.
"""
