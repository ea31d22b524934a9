"""Rows as tables for a terminal, or as plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group
from rich.table import Table

from operations.live.rows import ReplicaRow, TopicRow

COLUMNS = ("requests", "accepted", "records", "turns")
"""Rates that have a column of their own; those of the others that are not 0 are told behind them."""


def tables(replicas: Iterable[ReplicaRow], topics: Iterable[TopicRow]) -> Group:
    """For `rich.live`."""
    of_replicas = Table("replica", *(f"{each}/s" for each in COLUMNS), "attempts/s", "now", box=None, pad_edge=False)
    for row in replicas:
        of_replicas.add_row(_name(row), *(_cell(row, each) for each in COLUMNS), attempts(row), now(row))
    of_topics = Table("topic", "applied/s", "published/s", "behind", "outbox", "dead letters", box=None, pad_edge=False)
    for topic in topics:
        died = f" (+{topic.died})" if topic.died else ""
        rates = (f"{topic.records:.1f}", f"{topic.published:.1f}")
        of_topics.add_row(topic.topic, *rates, str(topic.lag), str(topic.outbox), f"{topic.dead}{died}")
    return Group(of_replicas, "", of_topics)


def lines(replicas: Iterable[ReplicaRow], topics: Iterable[TopicRow]) -> Iterator[str]:
    """The same, a line for each."""
    for row in replicas:
        rates = [f"{word} {_cell(row, word)}/s" for word in COLUMNS if row.rates and word in row.rates]
        tried = [f"attempts/s {said}"] if (said := attempts(row)) else []
        yield "  ".join([_name(row), *rates, *tried, *filter(None, [now(row)])])
    for topic in topics:
        yield (
            f"{topic.topic}  applied {topic.records:.1f}/s  published {topic.published:.1f}/s  behind {topic.lag}"
            f"  outbox {topic.outbox}  dead letters {topic.dead} (+{topic.died})"
        )


def _name(row: ReplicaRow) -> str:
    return f"{row.replica} ({row.state})" if row.state else row.replica


def _cell(row: ReplicaRow, word: str) -> str:
    return f"{row.rates[word]:.1f}" if row.rates and word in row.rates else ""


def attempts(row: ReplicaRow) -> str:
    """By outcome."""
    return ", ".join(f"{outcome} {rate:.1f}" for outcome, rate in row.attempts.items())


def now(row: ReplicaRow) -> str:
    """What stands at a number other than 0, and the rates that are none of the columns."""
    levels = [f"{word} {level:.0f}" for word, level in row.levels.items() if level]
    rates = [f"{word} {rate:.1f}/s" for word, rate in (row.rates or {}).items() if rate and word not in COLUMNS]
    return ", ".join([*levels, *rates])
