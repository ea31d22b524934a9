"""The flows in `examples` are sound, and the first tells the story of the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowlang.language.check import check
from flowlang.language.document import parse

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "flows").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_problems(path: Path) -> None:
    assert check(parse(path.read_text())) == []


def test_the_story_of_the_demo(talk_of: Any) -> None:
    path = next(path for path in EXAMPLES if path.stem == "reserve-lecture")
    t = talk_of(parse(path.read_text()), talked=False)
    t.start("bought", order_id="A7")
    assert (t.turn.refused.type, t.turn.refused.reason) == ("peer-not-reachable", "has-not-talked")
    t.say("/start")
    assert set(t.payloads) == {"Kafka", "Bots", "Webhooks"}
    t.say("Gardening")
    assert t.texts == ["Please choose one of these."]
    t.tap("Webhooks")
    assert t.calls[0].params == {"lecture": "3"}
    t.api_answers(
        {
            "responses": ["Lecture {{memory.favourite-thing}} has 4 seats left."],
            "memory": {"favourite-thing": "3", "seats": 4},
            "user_attributes": {"age": 31, "member": True},
            "quickreplies": ["Reserve", "Another lecture"],
        }
    )
    assert t.texts == ["Lecture 3 has 4 seats left.", "Lecture 3 is yours. You are 31, so welcome."]
    assert [(post.title, post.format) for post in t.posts] == [("Reserved. Lecture #3", "sendpulse")]
    assert "profile.pushed" in t.events
    assert t.contact.tags == ["reserved"]
    assert t.conversation.session is None
    t.start("bought", order_id="A7")
    assert t.texts == ["Your order A7 is paid. See you at the lecture!"]
    t.event("url", command="/onWebhook", content={"order_id": "A7"}, content_raw="", options={})
    t.code_gives(sent=["Payment for A7 arrived"])
    assert [end.answer for end in t.turn.rests] == ["Payment for A7 arrived"]
    t.event("url", command="/broken", content=None, content_raw="", options={})
    t.code_gives(ok=False, error="the payment could not be checked")
    assert [(end.status, end.error) for end in t.turn.rests] == [("failed", "the payment could not be checked")]
