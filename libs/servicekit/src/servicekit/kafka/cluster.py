"""An installation's place on a Kafka cluster: where the brokers are, and what the names of everything it has there begin with.

Services know topics by the names that contracts gives them. These names are in records, checkpoints, metrics and logs;
the prefix is put before them where a client is made and taken away where a record comes in, so nothing that is stored
or sent depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """`servers`: `host:port` separated by commas. `topic_prefix`: before topics, groups and transactional ids."""

    servers: str
    topic_prefix: str = ""

    def named(self, name: str) -> str:
        """What a topic, group or transactional id is called on the cluster."""
        return self.topic_prefix + name

    def own_name(self, name: str) -> str:
        """The name without the prefix, as contracts has it."""
        return name.removeprefix(self.topic_prefix)
