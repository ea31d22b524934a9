"""The rules of each kind of entity, one module a kind, each ending with its *Resource*; `kinds` is the table of them.

In come bodies that were parsed; out go entities that were saved by a *unit* of work, and what answers show of them. Nothing
here knows HTTP or SQL statements of its own.
"""
