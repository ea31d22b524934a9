"""What an operator does about an installation, wherever its Kafka, PostgreSQL and services are.

`commands` has the verbs: `./switchhook` offers them for the stack that runs on this machine, `switchhook-ops` (`cli`) for the
installation that its environment names. `installation` says where that is. No service imports this.
"""
