"""Who listens to a conversation."""

from __future__ import annotations

from contracts.inbound import ReplyTo
from flow_engine.state.listeners import CALLER_MS, MOST_CALLERS, Listeners, dump, load

TO = ReplyTo(instance="in-1", partition=3, request_id="r1")


def with_caller() -> Listeners:
    listeners = Listeners()
    listeners.add_caller(TO, event_id="e1", at_ms=1000, is_url=False)
    return listeners


def test_nobody_takes_no_room() -> None:
    assert dump(Listeners()) is None
    assert load(None) == Listeners()


def test_what_is_stored_comes_back() -> None:
    listeners = with_caller()
    listeners.attach("in-2", 4, "2026-01-01T00:05:00.000Z")
    listeners.use_link("link")
    assert load(dump(listeners)) == listeners


def test_a_caller_is_taken_once_and_by_its_event() -> None:
    listeners = with_caller()
    assert listeners.take_callers("other") == []
    assert [caller.request_id for caller in listeners.take_callers("e1")] == ["r1"]
    assert listeners.take_callers("e1") == []


def test_old_callers_and_ended_leases_are_forgotten() -> None:
    listeners = with_caller()
    listeners.attach("in-2", 4, "2026-01-01T00:05:00.000Z")
    listeners.forget_old("2026-01-01T00:04:59.000Z", 1000 + CALLER_MS - 1)
    assert listeners.callers
    assert listeners.attached
    listeners.forget_old("2026-01-01T00:05:00.000Z", 1000 + CALLER_MS)
    assert not listeners.callers
    assert not listeners.attached


def test_a_single_use_link_is_spent_once() -> None:
    listeners = Listeners()
    assert listeners.use_link("a")
    assert not listeners.use_link("a")


def test_callers_are_bounded() -> None:
    listeners = Listeners()
    for number in range(MOST_CALLERS + 5):
        listeners.add_caller(TO, event_id=str(number), at_ms=0, is_url=False)
    assert len(listeners.callers) == MOST_CALLERS
    assert listeners.callers[0].cause == "5"
