"""What all calls have in common whose answer a session waits for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from flowlang.nodes.base import Go
from flowlang.problems import NodeError

LONGEST_WAIT = timedelta(hours=1)
"""How long a call without a `timeout` is waited for. Its answer, or that there is none, comes within a minute when
everything works; what was lost on the way leaves by the port `timeout`."""
WhileWaiting = Literal["queue", "interrupt", "ignore"]


def timed_out(name: str) -> Go:
    """The node's own time is over."""
    return Go("timeout", error=NodeError("timeout", f"{name} did not answer in time"))


def failed(result: dict[str, Any], name: str) -> Go:
    """By `timeout` or `error`, for what the dispatcher says of a call that came to nothing."""
    outcome = "timeout" if result.get("outcome") == "timeout" else "error"
    error = result.get("error") or {}
    status = error.get("status") or result.get("status")
    detail = error.get("detail") or f"{name} gave no usable answer"
    return Go(outcome, error=NodeError(error.get("type") or outcome, detail, status))
