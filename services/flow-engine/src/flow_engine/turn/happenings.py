"""What the interpreter sees of an inbound record. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts import inbound
from flowlang.model import Happening


def _message(body: inbound.MessageReceived) -> dict[str, Any]:
    return {
        "text": body.text,
        "payload": body.payload,
        "type": body.type,
        "message_id": body.message_id,
        "attachments": list(body.attachments),
    }


def _start(body: inbound.StartFlow) -> dict[str, Any]:
    return {"flow_id": body.flow_id, "entry": body.entry, "variables": body.variables, "content": body.content}


def _url(body: inbound.UrlOpened) -> dict[str, Any]:
    return {
        "command": body.command,
        "content": body.content,
        "content_raw": body.content_raw,
        "options": body.options,
    }


def _command(body: inbound.RunCommand) -> dict[str, Any]:
    return {"command": body.command, "content": body.content}


def _call_result(body: inbound.CallResult) -> dict[str, Any]:
    error = body.error.model_dump(exclude_none=True) if body.error else None
    return {"wait": body.wait, "outcome": body.outcome, "status": body.status, "body": body.body, "error": error}


def _timer(body: inbound.TimerFired) -> dict[str, Any]:
    return {"wait": body.wait}


def _signal(body: inbound.Signal) -> dict[str, Any]:
    return {"name": body.name, "data": body.data}


_DATA: dict[str, Callable[[Any], dict[str, Any]]] = {
    "message": _message,
    "start": _start,
    "url": _url,
    "command": _command,
    "call_result": _call_result,
    "timer": _timer,
    "signal": _signal,
}


def happening(event_id: str, body: inbound.InboundBase, now: str) -> Happening:
    """Raises KeyError for a kind that the interpreter never sees."""
    kind: str = body.kind  # type: ignore[attr-defined]
    return Happening(event_id, kind, now, _DATA[kind](body))
