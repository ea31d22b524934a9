"""The topics of one project: its commands and its events, for a program that may see no other project's.

They are made by the operator for the projects that ask for them, so contracts.topics does not list them. Their names are made
of the project's slug, which never changes; the registry gives a slug that had topics to no other project again.
"""

from __future__ import annotations

import re
from dataclasses import replace

from contracts import cloudevents, commands, events
from contracts.headers import CLOUD_EVENT, HOPS, PROJECT, SUBJECT, TRACE
from contracts.topic import Topic

PREFIX = "switchhook.project."
"""All of them begin with it, and so do the groups of the programs that read them."""
PARTITIONS = 3
"""Of each, where the operator says nothing else."""
GROUP = "switchhook-ingress-project-commands"
"""In which ingress shares the commands of all projects that have topics."""
_COMMANDS = re.compile(rf"{re.escape(PREFIX)}([a-z0-9-]+)\.commands\.v1")
COPIED_HEADERS = (*CLOUD_EVENT, SUBJECT, PROJECT, TRACE, HOPS)
"""What a copied event has of the headers of its original; the others are between services, and tell of the whole installation."""
COPIED = frozenset(header.name for header in COPIED_HEADERS)


def commands_topic(slug: str, partitions: int = PARTITIONS) -> Topic:
    """What programs want done in this project."""
    return replace(
        commands.TOPIC,
        name=f"{PREFIX}{slug}.commands.v1",
        title="What one project's programs want done",
        partitions=partitions,
    )


def events_topic(slug: str, partitions: int = PARTITIONS) -> Topic:
    """What happened in this project: copies of its records in `switchhook.events.v1`."""
    return replace(
        events.TOPIC,
        name=f"{PREFIX}{slug}.events.v1",
        title="What happened in one project, copied from the events of all",
        partitions=partitions,
        producers=("dispatcher",),
        consumers=("integrators",),
        headers=COPIED_HEADERS,
    )


def topics_of(slug: str, partitions: int = PARTITIONS) -> tuple[Topic, Topic]:
    """Both."""
    return commands_topic(slug, partitions), events_topic(slug, partitions)


def slug_of(topic: str) -> str | None:
    """Whose commands a topic holds, by its name; None for a topic of another kind."""
    found = _COMMANDS.fullmatch(topic)
    return found[1] if found else None


def label_of(topic: str) -> str:
    """A topic's name for a metric: one for the topics of all projects, whose number has no bound."""
    return f"{PREFIX}*" if topic.startswith(PREFIX) else topic


def groups_of(slug: str) -> str:
    """What the consumer groups of the project's programs begin with. Its dot keeps `shop` from the groups of `shop-2`."""
    return f"{PREFIX}{slug}."


def copied_headers(headers: cloudevents.Headers) -> cloudevents.Headers:
    """Those of them that a copy has."""
    return [header for header in headers if header[0] in COPIED]
