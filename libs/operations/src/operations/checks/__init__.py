"""What `doctor` looks at, each module one kind of server: services, brokers, databases, and what waits for an operator.

Enters: an Installation. Leaves: Checks, each with what to do. A check of something that is not known (no DSN, no token) says so
or is left out; what a server does not answer is a CommandError, which the report tells of.
"""
