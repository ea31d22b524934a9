"""A compiled flow version: immutable, with everything parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlang.expressions.expression import Expression
    from flowlang.expressions.patterns import Pattern
    from flowlang.expressions.templates import Template
    from flowlang.nodes.base import Step


@dataclass(frozen=True, slots=True)
class CompiledReport:
    """P1 on a node: when it is reached, answered, or left by an option."""

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
class CompiledTrigger:
    """A way in. `accept` is a webhook's; `when` has to be true."""

    id: str
    type: str
    to: str
    when: Expression | None
    value: str = ""
    """A command, casefolded."""
    origins: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    """RE2 expressions of a keyword trigger."""
    accept: Mapping[str, str] | None = None


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
