"""An installation's place on a Kafka cluster: where the brokers are, how they let us in, and what its names begin with.

Services know topics by the names that contracts gives them. These names are in records, checkpoints, metrics and logs;
the prefix is put before them where a client is made and taken away where a record comes in, so nothing that is stored
or sent depends on it.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class Login:
    """Who we are to the brokers."""

    mechanism: Mechanism
    user: str
    password: SecretStr


@dataclass(frozen=True)
class Cluster:
    """`servers`: `host:port` separated by commas. `topic_prefix`: before topics, groups and transactional ids.

    `tls`: how connections are encrypted, None when they are not. `login`: None when the brokers ask for none.
    """

    servers: str
    topic_prefix: str = ""
    tls: ssl.SSLContext | None = None
    login: Login | None = None

    def named(self, name: str) -> str:
        """What a topic, group or transactional id is called on the cluster."""
        return self.topic_prefix + name

    def own_name(self, name: str) -> str:
        """The name without the prefix, as contracts has it."""
        return name.removeprefix(self.topic_prefix)
