"""Which conversation a person's name leads to."""

from __future__ import annotations

from flow_engine.batch.person_lookup import choose
from flowlang.model import Refused


def test_the_channel_asked_for_comes_before_the_last_used() -> None:
    found = {"c1": ["bot/tg/1", "bot/web/2"]}
    assert choose(found, None) == "bot/tg/1"
    assert choose(found, "web") == "bot/web/2"
    assert choose(found, "vk") == "bot/tg/1"


def test_nobody_and_several_are_refused() -> None:
    for nobody in (None, {}, {"c1": []}):
        refused = choose(nobody, None)
        assert isinstance(refused, Refused)
        assert (refused.type, refused.status) == ("contact-not-found", 404)
    several = choose({"c1": ["a/b/c"], "c2": ["a/b/d"]}, None)
    assert isinstance(several, Refused)
    assert (several.type, several.status) == ("contact-ambiguous", 409)
    assert "c1" in several.detail
    assert "c2" in several.detail
