"""A compiled flow version: immutable, with everything parsed. What `language` makes and `running` walks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flowlang.expressions.templates import Template
from flowlang.nodes.base import Step
from flowlang.triggers.base import CompiledTrigger


@dataclass(frozen=True, slots=True)
class CompiledReport:
    """A webhook about a node: when it is reached, answered, or left by an option."""

    title: Template
    url: Template
    format: str
    when: str


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node: what it does, where its ports lead, and what is told about it."""

    id: str
    type: str
    step: Step
    ports: Mapping[str, str]
    push_profile: bool
    report: CompiledReport | None
    targets: Mapping[str, str]
    """Button id to node, for buttons that lead somewhere."""


@dataclass(frozen=True, slots=True)
class Graph:
    """One version of a flow. `ref` is how events name it: {id, slug, version, name}."""

    flow_id: str
    version: int
    slug: str
    name: str
    start: str
    nodes: Mapping[str, GraphNode]
    triggers: Mapping[str, CompiledTrigger]
    memory_names: frozenset[str]
    """Variables that the flow declares in memory: a start's variables of these names are set there."""
    session_ttl: timedelta
    on_error: str | None
    strict: bool
    ref: dict[str, Any]
