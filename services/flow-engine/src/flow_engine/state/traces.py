"""What happened in a turn, packed for its row and shown from it. Pure.

A row's body is JSON: `[event id, kind, time, flows, more]`. `flows` has `[flow id, version, nodes]` for each stretch of nodes of one
version, a node being `[id, type, port, more]` without what it lacks at its end. `more` has, of the turn, what is there of:
`memory` and `user` ([flow id, name, before, after]), `calls` ([id, kind, name]), `answer`, `refused`, `failed`, `cut`.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import orjson

from flow_engine.state.json_text import encode

LIMIT = 16 * 1024
"""Bytes of a row's body. One that would be larger keeps its nodes, their ports and errors, and why the turn failed or was refused."""
VALUE_LIMIT = 1024
"""Bytes of a value, as JSON, in a body that would be larger."""
DETAIL_LIMIT = 100
"""Characters of an error's detail, where more was left out."""
MOST_ERRORS = 20
"""Nodes whose errors are kept then, the last ones."""
_OF_FLOW = frozenset(("flow_id", "flow_version", "node", "type", "port"))
_plain = itemgetter("node", "type", "port")
Change = tuple[str | None, str, Any, Any]
"""(flow id, name, before, after)"""


def packed(
    event: tuple[str, str, str], steps: list[dict[str, Any]], changes: dict[str, list[Change]], more: dict[str, Any]
) -> bytes:
    """The body. `event` is (id, kind, time), `steps` are those of the Turn. Raises NotJson."""
    body = encode((*event, _flows(steps), changes | more if more else changes))
    if len(body) > LIMIT:
        short = {scope: [_short(change) for change in made] for scope, made in changes.items()}
        body = encode([*event, _flows(steps), {**short, **more, "cut": True}])
    if len(body) > LIMIT:
        ends = {name: _short_error(more[name]) for name in ("refused", "failed") if name in more}
        body = encode([*event, _flows(_without_values(steps)), {**ends, "cut": True}])
    return body


def _without_values(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps with their last errors, shortened, and nothing else beside nodes and ports."""
    failed = [place for place, step in enumerate(steps) if "error" in step][-MOST_ERRORS:]
    kept = [{name: value for name, value in step.items() if name in _OF_FLOW} for step in steps]
    for place in failed:
        kept[place]["error"] = _short_error(steps[place]["error"])
    return kept


def _short_error(error: dict[str, Any]) -> dict[str, Any]:
    detail = error.get("detail")
    return {**error, "detail": detail[:DETAIL_LIMIT] + "…"} if detail and len(detail) > DETAIL_LIMIT else error


def _flows(steps: list[dict[str, Any]]) -> list[list[Any]]:
    flows: list[list[Any]] = []
    nodes: list[Any] = []
    last: Any = None
    for step in steps:
        version = step.get("flow_id"), step.get("flow_version")
        if version != last:
            last, nodes = version, []
            flows.append([*version, nodes])
        if step.keys() == _OF_FLOW:
            nodes.append(_plain(step))
            continue
        node = [step["node"], step["type"]]
        if "port" in step:
            node.append(step["port"])
        if not step.keys() <= _OF_FLOW:
            found = {name: value for name, value in step.items() if name not in _OF_FLOW}
            node += [found] if len(node) == 3 else [None, found]
        nodes.append(node)
    return flows


def _short(change: Change) -> Change:
    flow, name, before, after = change
    return flow, name, _short_value(before), _short_value(after)


def _short_value(value: Any) -> Any:
    text = encode(value)
    return value if len(text) <= VALUE_LIMIT else text[: VALUE_LIMIT // 2].decode("utf-8", "ignore") + "…"


def steps_of(body: bytes) -> list[dict[str, Any]]:
    """The nodes, as the Turn had them."""
    nodes = [_node(flow, version, *node) for flow, version, nodes in orjson.loads(body)[3] for node in nodes]
    return [
        {name: value for name, value in node.items() if value not in (None, []) or name == "node"} for node in nodes
    ]


def shown(turn: int, body: bytes) -> dict[str, Any]:
    """A turn as the API shows it."""
    event_id, kind, at, flows, more = orjson.loads(body)
    changes = [("memory", change) for change in more.get("memory", ())]
    changes += [("user", change) for change in more.get("user", ())]
    return {
        "turn": turn,
        "at": at,
        "event": {"id": event_id, "kind": kind},
        "nodes": [_node(flow, version, *node) for flow, version, nodes in flows for node in nodes],
        "variables": [_change(scope, *change) for scope, change in changes],
        "calls": [{"id": id, "kind": kind, "name": name} for id, kind, name in more.get("calls", ())],
        "answer": more.get("answer"),
        "refused": more.get("refused"),
        "failed": more.get("failed"),
        "cut": more.get("cut", False),
    }


def _node(
    flow: str | None, version: int | None, node: str | None, type: str, port: str | None = None, more: Any = None
) -> dict[str, Any]:
    return {
        "flow_id": flow,
        "flow_version": version,
        "node": node,
        "type": type,
        "port": port,
        "missing": (more or {}).get("missing", []),
        "error": (more or {}).get("error"),
        "tool": (more or {}).get("tool"),
        "tokens": (more or {}).get("tokens"),
    }


def _change(scope: str, flow: str | None, name: str, before: Any, after: Any) -> dict[str, Any]:
    return {"name": f"{scope}.{name}", "flow_id": flow, "before": before, "after": after}


def of_memory(changes: dict[tuple[str, str], tuple[Any, Any]]) -> list[Change]:
    """Those that are changes."""
    return [(flow, name, *both) for (flow, name), both in changes.items() if both[0] != both[1]]
