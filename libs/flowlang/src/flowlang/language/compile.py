"""Published versions, ready to run.

A version is read as far as it takes to know its ways in, which is in proportion to its length and a fraction of what its
programs would take. A node is read and built when a turn first comes to it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from pydantic import ValidationError

from contracts.sentences import reason
from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.graph import Graph, GraphNode, Nodes
from flowlang.language.build import build_node, build_trigger
from flowlang.language.document import Outline, outline
from flowlang.model import Happening
from flowlang.nodes.base import Outcome, Step
from flowlang.nodes.context import StepContext
from flowlang.nodes.registry import NODE_TYPES
from flowlang.problems import FlowInvalid, NodeError, Problem, pointer

A_SHORT_CHARACTER = 10
"""Bytes of JSON that take as much, made, as a character of an expression that is kept ready: at most 200 bytes."""


class _Version(msgspec.Struct):
    """contracts.registry.FlowVersion, with the parts of its document as they are written."""

    flow_id: str
    project_id: str
    version: int
    document: dict[str, msgspec.Raw]


class _Head(msgspec.Struct):
    type: str
    ports: dict[str, str] = {}


_versions = msgspec.json.Decoder(_Version)
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_heads = msgspec.json.Decoder(dict[str, _Head])


def compile_flow(data: bytes) -> Graph:
    """The graph of a published version, from the JSON of its contracts.registry.FlowVersion.

    Raises FlowInvalid when it cannot run. That is less than what `check` asks for: a version stays fit to run when the
    checker grows stricter.
    """
    try:
        version = _versions.decode(data)
        nodes = version.document.pop("nodes", msgspec.Raw(b"{}"))
        version.document.pop("tests", None)  # No part of what runs; see document.as_published.
        heads, sources = _heads.decode(nodes), _parts.decode(nodes)
        found = {name: msgspec.json.decode(raw) for name, raw in version.document.items()}
    except (msgspec.DecodeError, RecursionError) as error:
        raise FlowInvalid([Problem("", "error", "syntax", str(error))]) from error
    read = outline(found)
    _refuse_unknown(heads, read)
    return _graph(version, read, Nodes(sources, _Making(heads)))


def _graph(version: _Version, read: Outline, nodes: Nodes) -> Graph:
    compiler = Compiler(later=True)
    triggers = {trigger.id: build_trigger(trigger, index, compiler) for index, trigger in enumerate(read.triggers)}
    if any(problem.severity == "error" for problem in compiler.problems):
        raise FlowInvalid(compiler.problems)
    return Graph(
        flow_id=version.flow_id,
        project_id=version.project_id,
        version=version.version,
        slug=read.slug,
        name=read.name,
        start=read.start,
        nodes=nodes,
        triggers=triggers,
        memory_names=frozenset(name for name, one in read.variables.items() if one.scope == "memory"),
        session_ttl=clock.duration(read.session_ttl),
        on_error=read.on_error,
        strict=read.strict,
        ref={"id": version.flow_id, "slug": read.slug, "version": version.version, "name": read.name},
    )


def _refuse_unknown(heads: Mapping[str, _Head], read: Outline) -> None:
    """Raises FlowInvalid for node types that are not installed, and for ways in that lead to no node."""
    problems = [
        Problem(pointer("nodes", id), "error", "unknown-type", f"there is no node type {head.type!r}")
        for id, head in heads.items()
        if head.type not in NODE_TYPES
    ]
    for to in (read.start, *(trigger.to for trigger in read.triggers), read.on_error):
        if to is not None and to not in heads:
            problems.append(Problem("", "error", "unknown-target", f"there is no node {to!r}"))
    if problems:
        raise FlowInvalid(problems)


class _Making:
    """Makes the nodes of one version."""

    __slots__ = ("_heads",)

    def __init__(self, heads: Mapping[str, _Head]) -> None:
        self._heads = heads

    def __call__(self, id: str, source: bytes, error: NodeError | None) -> tuple[GraphNode, int]:
        head = self._heads.get(id) or _Head("unknown")
        if error is None and not source:
            error = NodeError("node-invalid", f"there is no node {id!r}")
        return self._built(id, head, source) if error is None else (_failing(id, head, error), len(source))

    def _built(self, id: str, head: _Head, source: bytes) -> tuple[GraphNode, int]:
        compiler = Compiler(later=True, short=True)
        try:
            node = build_node(id, NODE_TYPES[head.type].model_validate(msgspec.json.decode(source)), compiler)
            wrong = [problem.message for problem in compiler.problems if problem.severity == "error"]
        except ValidationError as error:
            wrong = [reason(error)]
        if not wrong:
            return node, len(source) + compiler.short_characters * A_SHORT_CHARACTER
        failing = _failing(id, head, NodeError("node-invalid", f"the node {id!r} cannot run: {wrong[0][:200]}"))
        return failing, len(source)


def _failing(id: str, head: _Head, error: NodeError) -> GraphNode:
    return GraphNode(id, head.type, _Failing(error), dict(head.ports), push_profile=False, report=None, targets={})


class _Failing(Step):
    """A node that cannot run: this release refuses what published it took, or there is no room to make it."""

    __slots__ = ("_error",)
    IS_BOUNDED = True

    def __init__(self, error: NodeError) -> None:
        self._error = error

    def enter(self, run: StepContext) -> Outcome:
        raise self._error

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        raise self._error
