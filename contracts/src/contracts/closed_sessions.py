"""`switchhook.sessions.v1`: which sessions of the Bot API were closed before their end. Key: a hash of the session's id.

A session is sealed into its id, and nothing is stored of one that is open. What is closed each replica of ingress reads here,
from the start, and keeps in memory until the session would have ended by itself; Kafka deletes it a day after that.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from contracts.headers import CLOUD_EVENT, PROJECT
from contracts.model import Model
from contracts.topic import DAY_MS, Topic

SESSION_SECONDS = 30 * 86_400
"""From the opening of a session of the Bot API to its end."""


class ClosedSession(Model):
    """`session` is `hash_of` its id. `ends`: unix seconds; after that its id is refused anyhow."""

    kind: Literal["closed"] = "closed"
    session: str
    project_id: str
    ends: int


def hash_of(session_id: str) -> str:
    """32 hexadecimal digits: who reads the topic does not learn ids."""
    return sha256(session_id.encode()).hexdigest()[:32]


TOPIC = Topic(
    name="switchhook.sessions.v1",
    title="Sessions of the Bot API that were closed",
    key="hash of the session's id",
    partitions=1,
    record=ClosedSession,
    producers=("ingress",),
    consumers=("ingress",),
    headers=(*CLOUD_EVENT, PROJECT),
    family="session",
    retention_ms=SESSION_SECONDS * 1000 + DAY_MS,
)
