"""The development stack: the `switchhook` command, embedded Kafka and PostgreSQL, the four services as processes.

For this machine only: no service imports it, and nothing here runs in production. `cli` has the verbs, `stack` puts the
processes together, `child`, `server` and `supervisor` are one process from start to restart.
"""
