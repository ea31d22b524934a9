"""A client that is told that a topic does not exist asks again only after a pause, and says so once a minute.

aiokafka's fetcher and sender ask for metadata again as soon as the last answer lacks a topic that they want: some two
hundred times a second, each with a line in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from contracts.topic import Topic
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka.incarnations import UNKNOWN, state_of
from servicekit.kafka.undisturbed import undisturbed
from servicekit.observability.repeats import OncePerMinute

PAUSE_SECONDS = 0.5
"""Between two answers to the same question that lack a topic."""
ANSWER_SECONDS = 6.0
LOGGER = "aiokafka.cluster"
ABOUT_TOPICS = "Topic %s "
"""How the lines begin that aiokafka writes for each answer that lacks a topic."""

_update = AIOKafkaClient._metadata_update
_lacking: WeakKeyDictionary[Any, tuple[frozenset[str], float]] = WeakKeyDictionary()
"""Client -> what it asked for when an answer lacked some of it, and when that was (monotonic)."""
_missing: set[str] = set()
"""Topics, by their names on the cluster, that the last answer to any client of this process did not know."""


def problem(topic: str) -> str | None:
    """For readiness: that the topic (by its name on the cluster) does not exist, in a sentence; None when it may."""
    return _sentence(topic) if topic in _missing else None


def problem_of(cluster: Cluster, topics: Iterable[Topic]) -> str | None:
    """The same for the first of these topics that is known not to exist."""
    if not _missing:
        return None
    names = (cluster.named(topic.name) for topic in topics)
    return next((_sentence(name) for name in names if name in _missing), None)


def _sentence(topic: str) -> str:
    return f"the topic {topic} does not exist: check SWITCHHOOK_TOPIC_PREFIX, or make it with `switchhook-ops topics create`"


async def look(client: AIOKafkaClient, topics: Iterable[str]) -> None:
    """Learn whether these topics (by their names on the cluster) exist, which a client that writes to them once a month does not
    ask; and of those that were missing whether they still are, since who asked for them may be gone. What Kafka does not say
    now stays as it is known; brokers older than 2.8 do not say."""
    for topic in {*topics, *_missing}:
        try:
            state = await undisturbed(state_of(client, topic), ANSWER_SECONDS)
        except UnknownTopicOrPartitionError:
            _missing.add(topic)
        except (KafkaError, OSError, TimeoutError):
            continue
        else:
            if state != UNKNOWN:
                _missing.discard(topic)


async def metadata_update(self: Any, cluster_metadata: Any, topics: Collection[str] | None) -> bool:
    """In place of `AIOKafkaClient._metadata_update`; `topics`: None or empty for all."""
    asked, answered_at = _lacking.get(self, (frozenset(), 0.0))
    if topics and asked.issuperset(topics):
        await asyncio.sleep(answered_at + PAUSE_SECONDS - time.monotonic())
    updated: bool = await _update(self, cluster_metadata, topics)
    if updated and topics:
        _note(self, cluster_metadata, frozenset(topics))
    return updated


def _note(client: Any, cluster_metadata: Any, topics: frozenset[str]) -> None:
    lacking = {topic for topic in topics if cluster_metadata.partitions_for_topic(topic) is None}
    _missing.difference_update(topics)
    _missing.update(lacking - cluster_metadata.unauthorized_topics)
    if lacking:
        _lacking[client] = topics, time.monotonic()
    else:
        _lacking.pop(client, None)


_filter = OncePerMinute(ABOUT_TOPICS)


def install() -> None:
    """Put both in their places."""
    AIOKafkaClient._metadata_update = metadata_update
    logging.getLogger(LOGGER).addFilter(_filter)
