"""Records to what the takeover needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import orjson
import pytest

from contracts.cloudevents import HOPS
from dispatcher.errors import Unreadable
from dispatcher.intake import decoding
from dispatcher.intake.decoding import RECORD_LIMIT, ActionDecoder, Arrived, DayWindow, decode_event, frame_of
from dispatcher.kinds.table import DELIVERY_KINDS
from servicekit.kafka.records import Record
from support.deliveries import AT, CONVERSATION, PROJECT, say

EVENT = {"type": "tag.added", "timestamp": AT, "data": {"tag": "vip"}}
EVENT_HEADERS = {"ce_id": b"event-1", "ce_type": b"dev.switchhook.tag.added", "ce_project": PROJECT.encode()}
ACTION_HEADERS = {"ce_id": b"action-1", "ce_type": b"dev.switchhook.action.send_message"}


def record(value: bytes | None, headers: dict[str, bytes | None], *, key: str = CONVERSATION) -> Record:
    return Record("t", 0, 17, 1795219200000, key.encode(), value, tuple(headers.items()))


def an_event(body: Any = EVENT, **headers: bytes | None) -> Record:
    return record(orjson.dumps(body), {**EVENT_HEADERS, **headers})


def decode_action(given: Record) -> Arrived:
    return ActionDecoder(DELIVERY_KINDS.values()).decode(given)[0]


def refused(decode: Callable[[Record], Arrived], given: Record) -> str:
    with pytest.raises(Unreadable) as error:
        decode(given)
    return error.value.code


def test_an_event_is_its_body_with_what_its_headers_say() -> None:
    arrived = decode_event(an_event(**{HOPS: b"3", "traceparent": b"00-x"}))
    assert (arrived.id, arrived.project_id, arrived.body) == ("event-1", PROJECT, EVENT)
    assert (arrived.hops, arrived.traceparent) == (3, "00-x")


def test_an_action_is_its_model() -> None:
    action = say("Hello")
    assert decode_action(record(action.encode(), dict(ACTION_HEADERS))).body == action


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (an_event(ce_type=b"dev.switchhook.tag.eaten"), "unknown-type"),
        (an_event(ce_type=b"dev.switchhook.tag.removed"), "wrong-schema"),
        (an_event({"type": "tag.added", "timestamp": AT}), "wrong-schema"),
        (an_event([]), "wrong-schema"),
        (an_event(**{HOPS: b"many"}), "bad-header"),
        (an_event(ce_id=b"\xff"), "bad-header"),
        (an_event(ce_id=None), "bad-header"),
        (record(b"{", dict(EVENT_HEADERS)), "not-json"),
        (record(None, dict(EVENT_HEADERS)), "not-json"),
        (record(b" " * (RECORD_LIMIT + 1), dict(EVENT_HEADERS)), "too-large"),
        (record(b"{}", {"ce_id": b"1", "ce_type": b"dev.switchhook.tag.added"}), "wrong-schema"),
    ],
)
def test_an_event_that_cannot_be_understood_is_told_apart(given: Record, code: str) -> None:
    assert refused(decode_event, given) == code


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (record(b"{", dict(ACTION_HEADERS)), "not-json"),
        (record(b"{}", dict(ACTION_HEADERS)), "wrong-schema"),
        (record(say("Hello").encode(), {**ACTION_HEADERS, "ce_type": b"dev.switchhook.action.dance"}), "unknown-type"),
        (record(say("Hello").encode(), dict(ACTION_HEADERS), key="another"), "wrong-schema"),
    ],
)
def test_an_action_that_cannot_be_understood_is_told_apart(given: Record, code: str) -> None:
    assert refused(decode_action, given) == code


def test_a_day_is_the_records_own_within_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    window, today = DayWindow(30), date(2026, 11, 21)

    class EndOfTheDay(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> EndOfTheDay:
            assert tz is UTC
            return cls(2026, 11, 21, 23, 59, 59, tzinfo=tz)

    monkeypatch.setattr(decoding, "datetime", EndOfTheDay)
    for day in (today - timedelta(days=30), today, today + timedelta(days=2)):
        assert window.day_of(f"{day}T23:59:59.999Z") == day
    for text in (f"{today - timedelta(days=31)}", f"{today + timedelta(days=3)}", "yesterday", "0001-01-01", ""):
        with pytest.raises(Unreadable):
            window.day_of(text)


def test_an_events_frame_is_read_without_its_body() -> None:
    assert frame_of(EVENT_HEADERS) == (PROJECT, "tag.added")
    assert frame_of({"ce_type": b"\xff", "ce_project": None}) == (None, "\ufffd")
