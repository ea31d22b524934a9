"""What the interpreter sees of each kind of inbound record: `Happening.data`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts import inbound

Data = Callable[[Any], dict[str, Any]]


def message(body: inbound.MessageReceived) -> dict[str, Any]:
    return {
        "text": body.text,
        "payload": body.payload,
        "type": body.type,
        "message_id": body.message_id,
        "attachments": list(body.attachments),
    }


def start(body: inbound.StartFlow) -> dict[str, Any]:
    return {"flow_id": body.flow_id, "entry": body.entry, "variables": body.variables, "content": body.content}


def url(body: inbound.UrlOpened) -> dict[str, Any]:
    return {
        "command": body.command,
        "content": body.content,
        "content_raw": body.content_raw,
        "options": body.options,
    }


def command(body: inbound.RunCommand) -> dict[str, Any]:
    return {"command": body.command, "content": body.content}


def call_result(body: inbound.CallResult) -> dict[str, Any]:
    error = body.error.model_dump(exclude_none=True) if body.error else None
    return {"wait": body.wait, "outcome": body.outcome, "status": body.status, "body": body.body, "error": error}


def timer(body: inbound.TimerFired) -> dict[str, Any]:
    return {"wait": body.wait}


def signal(body: inbound.Signal) -> dict[str, Any]:
    return {"name": body.name, "data": body.data}
