"""All that we replace in aiokafka or read inside of it; no other module touches its private names.

Enters: clients that servicekit.kafka.clients made. Leaves: `Record`s, send queues, and what a client does not tell of
itself: that its fetcher ended, that a broker refuses us or cannot be reached, that a topic does not exist, that another process has its instance name. `install` puts our parts into aiokafka, for the whole process.
tests/contract/test_aiokafka.py says which of the names that we depend on a new version of aiokafka has changed.
"""
