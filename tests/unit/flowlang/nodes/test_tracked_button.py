"""A button whose link is tracked leads where its address reads as leading."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("https://shop.example\\@evil.example/", False),
        ("https://shop.example@evil.example/", False),
        ("https://[::1", False),
        ("https://shop.example/a@b?c=\\#d", True),
        ("https://shop.example/" + "x" * 4000, True),
        ("mailto:ann@example.com", True),
    ],
)
def test_a_tracked_button_leads_where_it_reads_as_leading(talk: Any, address: str, leads: bool) -> None:
    button = {"id": "go", "title": "Go", "url": "{{ event.text }}", "track": True}
    nodes = {
        "a": {"type": "ask", "text": "?", "input": {"type": "text"}, "ports": {"ok": "b"}},
        "b": {"type": "say", "parts": [{"text": "x", "buttons": [button]}], "ports": {"error": "c"}},
        "c": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]},
    }
    t = talk(nodes)
    t.say("/go")
    t.say(address)
    assert t.texts == (["x"] if leads else ["button-url"])
    assert {payload["url"] for _, payload in t.links} == ({address} if leads else set())
