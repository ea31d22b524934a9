"""Which moments of a schedule are due after how long an outage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.registry import Flow, Schedule
from flow_engine.state import schedules
from flow_engine.state.schedules import Plan, due, following, plans_of

BEGIN = datetime(2026, 11, 23, 7, tzinfo=UTC)


def plan(cron: str = "*/10 * * * *", grace: str = "PT1H") -> Plan:
    one = Schedule(trigger="t", cron=cron, timezone="UTC", grace=grace, rate=20)
    flow = Flow(
        id="f", project_id="p", bot_id="b", slug="s", name="S", published=1, schedules=(one,),
        published_at="2026-11-23T07:00:00Z",
    )  # fmt: skip
    return plans_of(flow)[0]


def test_what_is_missed_by_more_than_the_grace_is_skipped() -> None:
    found = due(plan(), BEGIN, BEGIN + timedelta(hours=3))
    assert [f"{at:%H:%M}" for at in found.skipped][::11] == ["07:10", "09:00"]
    assert [f"{at:%H:%M}" for at in found.run] == ["09:10", "09:20", "09:30", "09:40", "09:50", "10:00"]
    assert found.last == BEGIN + timedelta(hours=3)


def test_nothing_from_before_it_was_published_is_due() -> None:
    found = due(plan(), BEGIN - timedelta(days=9), BEGIN + timedelta(minutes=15))
    assert (found.run, found.skipped) == ([BEGIN + timedelta(minutes=10)], [])


def test_a_long_outage_is_settled_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "MOST_MOMENTS", 5)
    first = due(plan(), BEGIN, BEGIN + timedelta(days=1))
    assert (len(first.skipped), first.run) == (5, [])
    assert due(plan(), first.last, BEGIN + timedelta(days=1)).skipped[0] == first.last + timedelta(minutes=10)


def test_a_flow_that_is_not_published_has_none() -> None:
    flow = plan().flow
    assert plans_of(flow.model_copy(update={"published": None})) == []


def test_its_broadcasts_are_told_apart() -> None:
    assert plan().broadcast_id(BEGIN) == plan("0 * * * *").broadcast_id(BEGIN)
    assert plan().broadcast_id(BEGIN) != plan().broadcast_id(BEGIN + timedelta(minutes=10))


@given(st.lists(st.integers(1, 600), min_size=1, max_size=8))
def test_whenever_one_looks_each_moment_is_settled_once(pauses: list[int]) -> None:
    made, last, now = plan(), BEGIN, BEGIN
    settled: list[datetime] = []
    for minutes in pauses:
        now += timedelta(minutes=minutes)
        found = due(made, last, now)
        assert all(now - at < made.grace for at in found.run)
        assert all(now - at >= made.grace for at in found.skipped)
        settled += [*found.skipped, *found.run]
        last = found.last
    assert settled == list(takewhile(lambda at: at <= now, made.cron.after(BEGIN)))
    assert (following(made, last) or now) > now
