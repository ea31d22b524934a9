"""Which conversation a person's name leads to."""

from __future__ import annotations

from flow_engine.batch.person_lookup import choose
from flowlang.model import Refused


def test_the_channel_asked_for_comes_before_the_last_used() -> None:
    found = ["bot/tg/1", "bot/web/2"]
    assert choose(found, None) == "bot/tg/1"
    assert choose(found, "web") == "bot/web/2"


def test_another_channel_than_the_one_asked_for_is_not_taken() -> None:
    refused = choose(["bot/tg/1", "bot/web/2"], "vk")
    assert isinstance(refused, Refused)
    assert (refused.type, refused.status, refused.reason) == ("peer-not-reachable", 409, "not-on-channel")


def test_nobody_is_refused() -> None:
    for nobody in (None, []):
        refused = choose(nobody, None)
        assert isinstance(refused, Refused)
        assert (refused.type, refused.status) == ("contact-not-found", 404)
