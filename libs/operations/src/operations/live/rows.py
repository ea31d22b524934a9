"""Rates and levels, by replica and by topic, from two samples of each replica."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from operations.live.samples import Labels, Sample

State = Literal["", "new", "started again", "away"]
Samples = Mapping[str, Sample | None]
"""Replica -> its sample, None where it did not answer."""

RATES = {
    "requests": "switchhook_http_requests_total",
    "accepted": "switchhook_ingress_accepted_total",
    "records": "switchhook_records_total",
    "turns": "switchhook_turns_total",
    "fired timers": "switchhook_timers_fired_total",
    "fenced": "switchhook_fenced_total",
    "failed publishes": "switchhook_publish_failures_total",
}
"""What is counted a second, by the word for it -> the counter."""
LEVELS = {
    "in flight": "switchhook_in_flight",
    "waiting callers": "switchhook_waiting_callers",
    "pending": "switchhook_pending_deliveries",
    "due timers": "switchhook_due_timers",
    "held": "switchhook_held_conversations",
}
"""What stands at a number."""
ATTEMPTS = "switchhook_attempts_total"


@dataclass(frozen=True)
class ReplicaRow:
    """`rates` are a second, by the words of RATES, without those that the replica does not count; None while there is only one
    sample of this process. `attempts`: outcome -> a second. `levels`: by the words of LEVELS."""

    replica: str
    state: State = ""
    rates: Mapping[str, float] | None = None
    attempts: Mapping[str, float] = field(default_factory=dict)
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TopicRow:
    """A topic, all replicas together. `records` applied and `published`, a second; `lag` in records; `outbox` rows that Kafka has
    not acknowledged; `dead` letters since each process started, and `died` of them between the samples."""

    topic: str
    records: float = 0.0
    published: float = 0.0
    lag: int = 0
    outbox: int = 0
    dead: int = 0
    died: int = 0


def replica_rows(before: Samples, now: Samples) -> list[ReplicaRow]:
    """A row for each replica that answers now, or did before."""
    return [_replica(name, before.get(name), now.get(name)) for name in dict.fromkeys([*now, *before])]


def _replica(name: str, before: Sample | None, now: Sample | None) -> ReplicaRow:
    if now is None:
        return ReplicaRow(name, "away")
    levels = {word: found for word, metric in LEVELS.items() if (found := now.total(metric)) is not None}
    if before is None:
        return ReplicaRow(name, "new", levels=levels)
    if not now.same_process(before):
        return ReplicaRow(name, "started again", levels=levels)
    rates = {word: _rate(before, now, metric) for word, metric in RATES.items() if metric in now.values}
    return ReplicaRow(name, "", rates, _attempts(before, now), levels)


def _rate(before: Sample, now: Sample, name: str) -> float:
    return ((now.total(name) or 0.0) - (before.total(name) or 0.0)) / max(now.at - before.at, 0.001)


def _attempts(before: Sample, now: Sample) -> dict[str, float]:
    """By outcome: the second label, after the kind."""
    seconds, found = max(now.at - before.at, 0.001), dict[str, float]()
    for (_, outcome), value in now.by(ATTEMPTS).items():
        found[outcome] = found.get(outcome, 0.0) + value
    for (_, outcome), value in before.by(ATTEMPTS).items():
        found[outcome] = found.get(outcome, 0.0) - value
    return {outcome: count / seconds for outcome, count in sorted(found.items()) if count > 0}


def topic_rows(before: Samples, now: Samples) -> list[TopicRow]:
    """A row for each topic of which a replica tells anything, by name."""
    pairs = [(before.get(name), sample) for name, sample in now.items() if sample is not None]
    pairs = [(old if old is not None and new.same_process(old) else None, new) for old, new in pairs]
    topics = sorted({topic for _, new in pairs for name in _OF_TOPICS for topic, *_ in _topics(new, name)})
    return [_topic(topic, pairs) for topic in topics]


_LAG, _OUTBOX = "switchhook_consumer_lag_records", "switchhook_outbox_rows"
_RECORDS, _PUBLISHED, _DEAD = "switchhook_records_total", "switchhook_published_total", "switchhook_dead_letters_total"
_OF_TOPICS = {_LAG: 1, _OUTBOX: 0, _RECORDS: 0, _PUBLISHED: 0, _DEAD: 1}
"""Metric -> where the topic stands among its labels, which are in the order of their names."""


def _topics(sample: Sample, name: str) -> Iterable[tuple[str, Labels, float]]:
    place = _OF_TOPICS[name]
    return ((labels[place], labels, value) for labels, value in sample.by(name).items())


def _topic(topic: str, pairs: list[tuple[Sample | None, Sample]]) -> TopicRow:
    lag: dict[Labels, float] = {}
    for _, new in pairs:  # Two replicas tell of one partition just when it goes from one to the other.
        for where, labels, value in _topics(new, _LAG):
            if where == topic:
                lag[labels] = max(value, lag.get(labels, 0.0))
    return TopicRow(
        topic,
        records=sum(_per_second(topic, _RECORDS, old, new) for old, new in pairs),
        published=sum(_per_second(topic, _PUBLISHED, old, new) for old, new in pairs),
        lag=int(sum(lag.values())),
        outbox=int(sum(_sum(topic, _OUTBOX, new) for _, new in pairs)),
        dead=int(sum(_sum(topic, _DEAD, new) for _, new in pairs)),
        died=int(sum(_sum(topic, _DEAD, new) - _sum(topic, _DEAD, old) for old, new in pairs if old)),
    )


def _sum(topic: str, name: str, sample: Sample) -> float:
    return sum(value for where, _, value in _topics(sample, name) if where == topic)


def _per_second(topic: str, name: str, old: Sample | None, new: Sample) -> float:
    """Nothing of a process of which there is no sample before."""
    return 0.0 if old is None else (_sum(topic, name, new) - _sum(topic, name, old)) / max(new.at - old.at, 0.001)
