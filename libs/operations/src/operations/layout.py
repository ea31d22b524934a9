"""How an installation lays its topics out on the brokers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """`replicas`: copies of each partition. `min_insync`: how many of them have to have a record before it counts as written,
    never more than there are. `partitions`: of inbound, actions and events alike; None: as contracts describe them.
    """

    replicas: int = 1
    min_insync: int = 1
    partitions: int | None = None

    def insync_of(self, replicas: int) -> int:
        """What a topic with so many replicas can have as `min.insync.replicas`."""
        return min(self.min_insync, replicas)
