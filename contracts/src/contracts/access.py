"""What each service may do on Kafka, and nothing else: from who writes and reads each topic, and who shares it in which group.

Grants are by principal: a service's, `operator` (who makes topics and mends what stands still), or an integrator's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from contracts import commands, dlq, project_topics, registry
from contracts.groups import BRIDGE, GROUPS
from contracts.routes import Service
from contracts.topics import TOPICS

Resource = Literal["topic", "group", "transactional-id", "cluster"]
Operation = Literal["Read", "Write", "Create", "Delete", "Alter", "Describe", "DescribeConfigs", "AlterConfigs"]

OPERATOR = "operator"
SERVICES: tuple[Service, ...] = get_args(Service)
RELAY = f"{registry.TOPIC.name}.relay"
"""The transactional id of the one registry that publishes."""
RELEASED = tuple(topic.name for topic in TOPICS if set(topic.consumers) & set(SERVICES) and topic is not registry.TOPIC)
"""Where the registry writes dead letters back to: what services read."""


@dataclass(frozen=True, slots=True)
class Grant:
    """`name` is without the installation's prefix. `begins`: it holds for all names that begin with it."""

    principal: str
    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    begins: bool = False


def grants() -> list[Grant]:
    """Those of every service and of the operator, without repetition."""
    found: dict[tuple[str, Resource, str, bool], set[Operation]] = {}
    for grant in (*_of_topics(), *_of_groups(), *_of_project_topics(), *_of_dead_letters(), *_of_the_operator()):
        key = (grant.principal, grant.resource, grant.name, grant.begins)
        found.setdefault(key, set()).update(grant.operations)
    return [
        Grant(principal, resource, name, tuple(sorted(operations)), begins)
        for (principal, resource, name, begins), operations in found.items()
    ]


def _of_topics() -> Iterator[Grant]:
    for topic in TOPICS:
        for service in SERVICES:
            if service in topic.producers:
                yield Grant(service, "topic", topic.name, ("Write", "Describe"))
            if service in topic.consumers:
                yield Grant(service, "topic", topic.name, ("Read", "Describe"))
    yield Grant("registry", "transactional-id", RELAY, ("Write", "Describe"))


def _of_groups() -> Iterator[Grant]:
    for service, groups in GROUPS.items():
        for group in groups.values():
            yield Grant(service, "group", group, ("Read", "Describe"))
    yield Grant("ingress", "group", BRIDGE[commands.TOPIC.name], ("Read", "Describe"))


def line(grant: Grant, principal: str, topic_prefix: str = "") -> str:
    """The grant as arguments of `kafka-acls.sh --add`. `principal`: who has it, as a shell takes it (`User:shop`); `topic_prefix`: of
    the installation."""
    operations = " ".join(f"--operation {operation}" for operation in grant.operations)
    where = "--cluster" if grant.resource == "cluster" else f"--{grant.resource} {topic_prefix}{grant.name}"
    pattern = " --resource-pattern-type prefixed" if grant.begins else ""
    return f"--allow-principal {principal} {operations} {where}{pattern}"


def grants_of_project(slug: str, principal: str) -> list[Grant]:
    """What a project's programs need for its own topics. They may name their groups as they like behind its prefix."""
    commands_topic, events_topic = project_topics.topics_of(slug)
    return [
        Grant(principal, "topic", commands_topic.name, ("Describe", "Write")),
        Grant(principal, "topic", events_topic.name, ("Describe", "Read")),
        Grant(principal, "group", project_topics.groups_of(slug), ("Describe", "Read"), begins=True),
    ]


def _of_project_topics() -> Iterator[Grant]:
    """By what their names begin with: a project that is made later needs no grant to a service."""
    yield Grant("dispatcher", "topic", project_topics.PREFIX, ("Write", "Describe"), begins=True)
    yield Grant("ingress", "topic", project_topics.PREFIX, ("Read", "Describe"), begins=True)
    yield Grant("ingress", "group", project_topics.GROUP, ("Read", "Describe"))


def _of_dead_letters() -> Iterator[Grant]:
    """An operator lists and releases them over the registry's API."""
    for service in dlq.SERVICES:
        yield Grant("registry", "topic", dlq.topic_for(service).name, ("Read", "Describe"))
    for name in RELEASED:
        yield Grant("registry", "topic", name, ("Write", "Describe"))


def _of_the_operator() -> Iterator[Grant]:
    everything: tuple[Operation, ...] = (
        "Read", "Write", "Create", "Delete", "Alter", "Describe", "DescribeConfigs", "AlterConfigs",
    )  # fmt: skip
    yield Grant(OPERATOR, "topic", "switchhook.", everything, begins=True)
    for groups in (*GROUPS.values(), BRIDGE):
        for group in groups.values():
            yield Grant(OPERATOR, "group", group, ("Read", "Describe"))
    yield Grant(OPERATOR, "cluster", "kafka-cluster", ("Alter", "Describe"))
