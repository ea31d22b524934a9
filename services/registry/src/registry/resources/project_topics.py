"""A project's own topics: the registry notes that it has them, and says what they are called and what to grant.

Nothing is made on Kafka here: that is the operator's right, and no service's (`switchhook-ops project kafka`).
"""

from __future__ import annotations

from pydantic import BaseModel

from contracts import project_topics
from contracts.access import grants_of_project, line
from contracts.registry import Project
from registry.entities import Stored
from registry.site import Site
from registry.store import postgres_topic_slugs
from registry.writing.unit import Unit
from servicekit.web.problems import ProblemError, not_found

USER = "<user>"
"""Stands for the Kafka user of the project's programs in what is to be granted."""


class OwnTopics(BaseModel):
    """The topics as they are called on Kafka. `groups`: what the consumer groups of the project's programs begin with. `acls`:
    arguments of `kafka-acls.sh --add`, a line each, in which `<user>` stands for the programs' Kafka user."""

    commands_topic: str
    events_topic: str
    groups: str
    acls: list[str]


def shown(project: Project, site: Site) -> OwnTopics:
    """What the project's programs need to know. Raises ProblemError 404 where it has no topics of its own."""
    if not project.own_topics:
        raise no_topics()
    commands_topic, events_topic = project_topics.topics_of(project.slug)
    prefix = site.topic_prefix
    return OwnTopics(
        commands_topic=prefix + commands_topic.name,
        events_topic=prefix + events_topic.name,
        groups=prefix + project_topics.groups_of(project.slug),
        acls=[line(grant, f"User:{USER}", prefix) for grant in grants_of_project(project.slug, USER)],
    )


async def switch(unit: Unit, stored: Stored[Project], *, own_topics: bool) -> Stored[Project]:
    """Use topics of its own from now on, or no longer; as it was where that is so already."""
    project = stored.entity
    if project.own_topics == own_topics:
        return stored
    if own_topics:
        await postgres_topic_slugs.keep(unit.connection, project.slug)
    return await unit.save(project.model_copy(update={"own_topics": own_topics}), extra=stored.extra)


def no_topics() -> ProblemError:
    """404."""
    return not_found("A topic of its own")
