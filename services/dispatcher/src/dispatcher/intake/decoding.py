"""Bytes to what the takeover needs. Validated once, here; what cannot be read is Unreadable with a word and a sentence."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from contracts.actions import ACTION_LIMIT, SupersedeMessages, action_type
from contracts.cloudevents import HOPS, PROJECT, TYPE_PREFIX
from contracts.event_types import EVENTS
from contracts.sentences import code_and_reason
from dispatcher.errors import Unreadable
from dispatcher.model.delivery import DeliveryKind
from servicekit.kafka.records import Record

RECORD_LIMIT = 4 * ACTION_LIMIT
"""Bytes; the writers' own limit is a quarter of it."""


@dataclass(slots=True)
class Arrived:
    """One decoded record: `body` is an action (model) or an event's `{type, timestamp, data}` (dict)."""

    record: Record
    id: str
    project_id: str
    body: Any
    hops: int
    traceparent: str | None


_SUPERSEDES = action_type(SupersedeMessages)
KNOWN_SECONDS, MOST_KNOWN = 60.0, 100
DAYS_AHEAD = 2
"""How far the writer's clock may be before ours."""


class DayWindow:
    """The days that deliveries may be of: an older one's partition is gone, and with it the memory of what it held."""

    def __init__(self, retention_days: int) -> None:
        self._kept = timedelta(days=retention_days)
        self._known: dict[str, tuple[float, date]] = {}

    def day_of(self, text: str) -> date:
        """The day half of a delivery's key: the record's own, never a clock's. Raises Unreadable."""
        known_until, day = self._known.get(text[:10], (0.0, date.min))
        if known_until > time.monotonic():
            return day
        day = self._checked(text)
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        self._known[text[:10]] = (time.monotonic() + KNOWN_SECONDS, day)
        return day

    def _checked(self, text: str) -> date:
        try:
            day = date.fromisoformat(text[:10])
        except ValueError as error:
            raise Unreadable("wrong-schema", "the day is not YYYY-MM-DD") from error
        today = datetime.now(UTC).date()
        if not today - self._kept <= day <= today + timedelta(days=DAYS_AHEAD):
            raise Unreadable("wrong-schema", f"the day {day} is older than deliveries are kept, or lies ahead")
        return day


class ActionDecoder:
    """Actions records, by the kinds of deliveries that are made from them."""

    def __init__(self, kinds: Iterable[DeliveryKind]) -> None:
        self._kinds = {action_type(kind.action): kind for kind in kinds if kind.action is not None}

    def decode(self, record: Record) -> tuple[Arrived, DeliveryKind | None]:
        """Without a kind: it is a SupersedeMessages, which makes no delivery. Raises Unreadable."""
        _, type, headers = _headers(record)
        kind = self._kinds.get(type)
        if kind is None and type != _SUPERSEDES:
            raise Unreadable("unknown-type", f"no action has the type {type[:100]}")
        try:
            body = kind.parse(_value(record)) if kind else SupersedeMessages.model_validate_json(_value(record))
        except ValidationError as error:
            raise Unreadable(*code_and_reason(error)) from error
        if (record.key or b"") != body.conversation.encode() and body.conversation != "-":
            raise Unreadable("wrong-schema", "the body names another conversation than the key")
        return Arrived(record, body.id, body.project_id, body, body.hops, _text(headers.get("traceparent"))), kind


def frame_of(headers: Mapping[str, bytes | None]) -> tuple[str | None, str]:
    """An event's project, None where it names none, and its type without the prefix."""
    project, type = headers.get(PROJECT), (headers.get("ce_type") or b"").decode("utf-8", "replace")
    return project.decode("utf-8", "replace") if project else None, type.removeprefix(TYPE_PREFIX)


def decode_event(record: Record) -> Arrived:
    """An events record. Its data is shown to subscribers as it is, so only its frame is checked."""
    id, type, headers = _headers(record)
    if type.removeprefix(TYPE_PREFIX) not in EVENTS:
        raise Unreadable("unknown-type", f"no event has the type {type[:100]}")
    try:
        body = orjson.loads(_value(record))
    except orjson.JSONDecodeError as error:
        raise Unreadable("not-json", str(error)[:500]) from error
    framed = isinstance(body, dict) and isinstance(body.get("data"), dict) and isinstance(body.get("timestamp"), str)
    if not framed or TYPE_PREFIX + str(body.get("type")) != type:
        raise Unreadable("wrong-schema", "an event is {type, timestamp, data}, its type that of the header")
    hops, project = headers.get(HOPS, b"0"), _text(headers.get(PROJECT))
    if project is None or not hops.isdigit():
        raise Unreadable("bad-header", f"{PROJECT} is needed, and {HOPS} is a number")
    return Arrived(record, id, project, body, int(hops), _text(headers.get("traceparent")))


def _headers(record: Record) -> tuple[str, str, dict[str, bytes]]:
    """The record's id, its type, and all headers, of which each is UTF-8."""
    headers: dict[str, bytes] = dict(record.headers)  # type: ignore[arg-type]
    try:
        b"\n".join(headers.values()).decode()  # At once: it is done for every record.
    except (UnicodeDecodeError, TypeError) as error:
        raise Unreadable("bad-header", "a header is null or not UTF-8") from error
    id, type = headers.get("ce_id"), headers.get("ce_type")
    if not id or not type:
        raise Unreadable("bad-header", "ce_id and ce_type are needed")
    return id.decode(), type.decode(), headers


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _value(record: Record) -> bytes:
    value = record.value or b""
    if len(value) > RECORD_LIMIT:
        raise Unreadable("too-large", f"{len(value)} bytes, more than {RECORD_LIMIT}")
    return value
