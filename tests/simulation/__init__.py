"""The real partition loop, engine handler, scheduling and recorder of the dispatcher in one process, under a seed.

Enters: a seed, and maybe a protection to leave out. Leaves: a report with the digest of all that happened and a sentence for
each thing that is wrong. Real is everything between the ports; the stores are the twins that common suites hold to
PostgreSQL, the broker and its clients are `support.log_in_memory` and `kafka_clients`. docs/explanation/simulation.md says
what it does not cover. Words: *machine* (one process's life), *world* (all that is not a machine), *profile* (which kinds
of trouble a seed has), *peace* (after the trouble, when everything has to come to its end).
"""
