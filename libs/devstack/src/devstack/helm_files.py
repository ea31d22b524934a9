"""The files of the Helm chart that follow from contracts: paths, grants and consumer groups, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from contracts.access import grants
from contracts.gateway import CONSOLE_SERVICE, PRIVATE_SEGMENTS, ROWS, PathRow
from contracts.groups import BRIDGE, GROUPS
from contracts.routes import Service
from contracts.topics import TOPICS
from operations.topic_plan import ALIKE

SIZED = frozenset(topic.name for topic in ALIKE)
NOT_FOUND_SERVICE: Service = "ingress"
"""Gets the paths of the API that nobody answers outside, none of which it has: it answers 404, which a Gateway or an Ingress cannot
without an extension."""


def files() -> dict[str, str]:
    """Name below the chart -> text."""
    made = {"routes.json": {"routes": list(routes())}, "grants.json": granted(), "groups.json": members()}
    return {f"files/{name}": json.dumps(value, indent=1) + "\n" for name, value in made.items()}


def routes() -> Iterator[dict[str, Any]]:
    """A service (empty: none) with its paths. Gateways take the longest path that fits, so the order is for readers."""
    rows = [*((backend_of(row), row.path, row.exact) for row in ROWS), (CONSOLE_SERVICE, "/", False)]
    for service, found in groupby(sorted(rows, key=lambda row: row[0]), key=lambda row: row[0]):
        yield {"service": service, "paths": [{"path": path, "exact": exact} for _, path, exact in found]}


def backend_of(row: PathRow) -> str:
    """The service that a gateway sends a row's paths to; empty for what every service answers on its own port."""
    if row.service is None:
        return "" if row.path.removeprefix("/") in PRIVATE_SEGMENTS else NOT_FOUND_SERVICE
    return row.service


def granted() -> dict[str, list[dict[str, Any]]]:
    """Principal -> what it may do, in the words of Strimzi's KafkaUser."""
    found: dict[str, list[dict[str, Any]]] = {}
    for grant in grants():
        kind = "transactionalId" if grant.resource == "transactional-id" else grant.resource
        found.setdefault(grant.principal, []).append(
            {"type": kind, "name": grant.name, "begins": grant.begins, "operations": list(grant.operations)}
        )
    return found


def members() -> dict[str, list[dict[str, Any]]]:
    """Service -> the topics that its replicas share, each with its group and with the partitions of a new installation.

    `sized`: SWITCHHOOK_TOPIC_PARTITIONS may give it another number.
    """
    partitions = {topic.name: topic.partitions for topic in TOPICS}
    return {
        service: [
            {"topic": topic, "group": group, "partitions": partitions[topic], "sized": topic in SIZED}
            for topic, group in groups.items()
        ]
        for service, groups in {"ingress": BRIDGE, **GROUPS}.items()
    }
