"""Which endpoints an event goes to."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.event_types import EVENTS, offered
from dispatcher.intake import fan_out
from support.deliveries import AT, BOT, ENDPOINT, endpoint


def event(type: str = "tag.added", **data: Any) -> dict[str, Any]:
    return {"type": type, "timestamp": AT, "data": data}


def test_an_endpoint_gets_the_types_that_it_chose() -> None:
    chosen = endpoint(events=("tag.added", "bot.blocked"))
    assert [each for each in EVENTS if fan_out.wanted(each, chosen)] == ["bot.blocked", "tag.added"]


@pytest.mark.parametrize("events", [("*",), ("trigger.request",), ("*", "trigger.request")])
def test_the_request_log_is_never_delivered(events: tuple[str, ...]) -> None:
    assert not fan_out.wanted("trigger.request", endpoint(events=events))
    assert "trigger.request" not in fan_out.by_type([endpoint(events=events)])


def test_all_is_every_other_type() -> None:
    assert set(fan_out.by_type([endpoint()])) == set(offered())


def test_endpoints_are_found_by_type_in_a_fixed_order() -> None:
    b, a, other = endpoint(id="b"), endpoint(id="a"), endpoint(id="c", events=("bot.blocked",))
    assert [each.id for each in fan_out.by_type([b, other, a])["tag.added"]] == ["a", "b"]


def test_only_events_of_its_bots() -> None:
    chosen = endpoint(bots=(BOT,))
    assert fan_out.matches(chosen, event(bot={"id": BOT}))
    assert not fan_out.matches(chosen, event(bot={"id": "bot-2"}))
    assert not fan_out.matches(chosen, event())
    assert not fan_out.matches(chosen, event(bot=None))


@pytest.mark.parametrize("type", ["endpoint.failing", "endpoint.disabled", "delivery.exhausted"])
def test_an_endpoint_hears_of_others_and_never_of_itself(type: str) -> None:
    assert not fan_out.matches(endpoint(), event(type, endpoint={"id": ENDPOINT}))
    assert fan_out.matches(endpoint(), event(type, endpoint={"id": "another"}))
