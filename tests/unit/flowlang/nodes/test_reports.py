"""Reports of a node."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("kind", ["buttons", "quick_replies"])
@pytest.mark.parametrize("by", ["tap", "title"])
def test_a_report_tells_of_a_button_that_leads_nowhere_once(talk: Any, kind: str, by: str) -> None:
    report = {"title": "Chose", "url": "https://crm.example/x", "when": "more"}
    shown = {"text": "x", kind: [{"id": "more", "title": "More"}, {"id": "less", "title": "Less"}]}
    t = talk({"a": {"type": "say", "parts": [shown], "report": report}})
    t.say("/go")
    payload, told = t.payloads["More"], list[str]()
    for text in ("something else", "more", "more"):
        if by == "title" or text != "more":
            t.say(text)
        else:
            t.say(None, payload=payload)
        told += [post.title for post in t.posts]
    assert told == ["Chose"]
