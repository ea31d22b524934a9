"""What comes of an attempt. Enters: results. Leaves: rows and attempts saved, and records that say so: to the engine, to who
waits, to subscribers, to the registry.

Here is decided why a delivery ends or is tried again (`conclusions`), who hears of it (`reports`), and what is paused for
all replicas: a destination after a 429, an endpoint that failed for days, a channel whose token was refused. Words:
*outcome* (how an attempt ended), *code* (the word to count by, in the log of deliveries), *pause*, *report*, *retention*.
"""
