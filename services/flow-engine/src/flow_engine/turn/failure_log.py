"""Failing flows in the engine's own log, with node and reason, and names without a value: so that who looks at the service sees them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from flowlang.model import Conversation, EmitEvent
from servicekit.observability.metrics import counter

AGAIN_SECONDS = 60.0
"""A flow that fails at one node in one way is logged this often at most; between, it is counted."""
MOST_KNOWN = 1_000
log = structlog.get_logger()
_known: dict[tuple[str, str, str], tuple[float, int]] = {}
"""(flow, node, type of the error) -> when it was logged last, and how often it was not since. The process's, as its log is."""
_missing: set[tuple[str, int, str, str]] = set()
"""(flow id, version, node, name) of those that were logged."""


def note_failure(failed: EmitEvent, conversation: Conversation) -> None:
    """Count a `flow.failed`, and log it unless the same was logged a short time ago."""
    counter("switchhook_flow_failures_total").inc()
    flow, error = failed.flow or {}, failed.data.get("error") or {}
    name, node, type = str(flow.get("slug") or flow.get("id") or ""), failed.node or "", str(error.get("type"))
    logged, since = _known.get((name, node, type), (float("-inf"), 0))
    now = time.monotonic()
    if now < logged + AGAIN_SECONDS:
        _known[name, node, type] = logged, since + 1
        return
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[name, node, type] = now, 0
    log.warning(
        "flow.failed", flow=name, version=flow.get("version"), node=node, error=type, detail=error.get("detail"),
        conversation=conversation.key, not_logged_since=since,
    )  # fmt: skip


def note_missing(steps: Iterable[Mapping[str, Any]]) -> None:
    """Log each name of a flow version that a node asked for and that had no value, once."""
    for step in steps:
        for name in step.get("missing", ()):
            place = step["flow_id"], step["flow_version"], step["node"], name
            if place in _missing:
                continue
            if len(_missing) >= MOST_KNOWN:
                _missing.clear()
            _missing.add(place)
            flow, version, node, _ = place
            log.info("flow.missing_value", flow=flow, version=version, node=node, name=name)
