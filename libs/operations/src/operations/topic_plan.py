"""What differs between the topics of a cluster and those that contracts describe, and which verb does something about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from contracts import actions, events, inbound
from contracts.topic import Topic
from operations.layout import Layout

Verb = Literal["create", "alter", "alter --force", "grow", "none"]

ALIKE = (inbound.TOPIC, actions.TOPIC, events.TOPIC)
"""Topics of which a conversation's key chooses the partition, so that they have one number of partitions."""
INSYNC = "min.insync.replicas"
MORE_IS_KEPT = frozenset({"retention.ms", "retention.bytes", "max.message.bytes", INSYNC})
"""Settings of which somebody may want more than contracts say; -1 stands for no limit."""
WHY_NOT_ALTERED = (
    "its records' keys choose their partitions: with another number the records of a conversation would lie in two of them,"
    " and their order would be lost"
)


@dataclass(frozen=True)
class Found:
    """A topic as it is on the cluster. `settings`: what holds, also by the broker's defaults; `own`: what is set on the topic."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]
    own: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One thing about a topic, by its name on the cluster. `what` is a setting, `partitions`, `replicas`, or `topic` where it
    is missing. `verb`: what makes it as it is `meant`."""

    topic: str
    what: str
    found: str
    meant: str
    verb: Verb
    then: str

    @property
    def line(self) -> str:
        """For the terminal."""
        if self.what == "topic":
            return f"{self.topic} does not exist: {self.then}"
        return f"{self.topic}: {self.what} is {self.found}, {self.meant} is meant: {self.then}"


def settings_of(topic: Topic, layout: Layout, replicas: int) -> dict[str, str]:
    """What is to hold for a topic that has so many replicas."""
    return {**topic.settings(), INSYNC: str(layout.insync_of(replicas))}


def partitions_of(topic: Topic, layout: Layout) -> int:
    """How many partitions a topic is to have."""
    return layout.partitions or topic.partitions if topic in ALIKE else topic.partitions


def differences(topics: Mapping[str, Topic], found: Mapping[str, Found], layout: Layout) -> list[Difference]:
    """Of all topics, by their names on the cluster."""
    said: list[Difference] = []
    for name, topic in topics.items():
        present = found.get(name)
        said += [_missing(name, topic, layout)] if present is None else _present(name, topic, present, layout)
    return said


def about(said: Iterable[Difference], *verbs: Verb) -> list[Difference]:
    """Those that one of the verbs makes as they are meant."""
    return [each for each in said if each.verb in verbs]


def _missing(name: str, topic: Topic, layout: Layout) -> Difference:
    count, replicas = partitions_of(topic, layout), layout.replicas
    insync = layout.insync_of(replicas)
    then = f"`topics create` makes it: {count} partitions, replicas: {replicas}, {INSYNC}={insync}"
    return Difference(name, "topic", "missing", "there", "create", then)


def _present(name: str, topic: Topic, found: Found, layout: Layout) -> Iterator[Difference]:
    for setting, meant in settings_of(topic, layout, found.replicas).items():
        is_set = found.settings.get(setting, "not known")
        if is_set != meant:
            yield _setting(name, setting, is_set, meant, more_is_kept=setting in found.own)
    if found.replicas < layout.replicas:
        yield _replicas(name, found.replicas, layout.replicas)
    count = partitions_of(topic, layout)
    if found.partitions < count:
        yield _fewer(name, topic, found.partitions, count)
    elif found.partitions > count and topic in ALIKE:
        then = "kept, since no partition can be taken away; say so with SWITCHHOOK_TOPIC_PARTITIONS"
        yield Difference(name, "partitions", str(found.partitions), str(count), "none", then)


def _setting(name: str, setting: str, is_set: str, meant: str, *, more_is_kept: bool) -> Difference:
    if more_is_kept and setting in MORE_IS_KEPT and _amount(is_set) > _amount(meant):
        then = "kept, as it is more; `topics alter --force` sets it"
        return Difference(name, setting, is_set, meant, "alter --force", then)
    return Difference(name, setting, is_set, meant, "alter", "`topics alter` sets it")


def _amount(value: str) -> float:
    """A number of a setting; one below zero stands for no limit."""
    try:
        return float(value) if float(value) >= 0 else float("inf")
    except ValueError:
        return 0.0


def _replicas(name: str, found: int, meant: int) -> Difference:
    then = "`kafka-reassign-partitions.sh` gives it more; then `topics alter` raises min.insync.replicas"
    return Difference(name, "replicas", str(found), str(meant), "none", then)


def _fewer(name: str, topic: Topic, found: int, meant: int) -> Difference:
    if topic in ALIKE:
        return Difference(
            name, "partitions", str(found), str(meant), "grow", "`topics grow`, once everything is drained"
        )
    then = "kept, since services remember the number that it had"
    return Difference(name, "partitions", str(found), str(meant), "none", then)
