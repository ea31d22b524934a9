"""The flow engine: events of conversations in, state and effects out, in one transaction a batch.

Rooms, each knowing only those after it: `web` (what became of an event) · `batch` (the partition loop's side) · `turn`
(one event applied, pure) and `store` (all SQL, behind a port) · `catalogue` (what is known of the registry) · `state` (what a batch
holds in memory).
"""
