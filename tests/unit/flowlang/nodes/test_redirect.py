"""Tracked links: where they lead, how long, and where they may not."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.language.check import check
from support.dialogue import document


def linking(url: str, **more: Any) -> dict[str, Any]:
    said = {
        name: {"type": "say", "parts": [{"text": text}]}
        for name, text in (("tell", "{{ memory.link }}"), ("bye", "No: {{ temp.error.type }}"))
    }
    return {
        "link": {
            "type": "redirect",
            "url": url,
            "save_to": "memory.link",
            "ports": {"next": "tell", "error": "bye"},
            **more,
        }
    } | said


@pytest.mark.parametrize(("more", "until"), [({}, None), ({"expires_in": "P7D"}, "2026-11-28T12:00:00.000Z")])
def test_the_link_is_kept_and_names_node_person_and_end(talk: Any, more: dict[str, Any], until: str | None) -> None:
    t = talk(linking("https://shop.example/p?q={{ user.name }}", **more))
    t.contact.profile["name"] = "A&b"
    t.say("/go")
    kind, payload = t.links[0]
    assert t.texts == [f"https://bot.example/redirect/{payload['jti']}"]
    assert (kind, payload["url"], payload["expires_at"]) == ("redirect", "https://shop.example/p?q=A%26b", until)
    assert (payload["node"], payload["conversation"], payload["contact_id"]) == ("link", "b/c/1", "k1")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "https://shop.example@evil.example/",
        "//evil.example/",
        "https://shop.example/" + "x" * 2100,
        "",
    ],
)
def test_a_link_that_leads_nowhere_is_not_made(talk: Any, url: str) -> None:
    t = talk(linking("{{ user.way }}"))
    t.contact.variables["way"] = url
    t.say("/go")
    assert (t.texts, t.links) == (["No: url"], [])


def test_a_host_of_merge_tags_is_told_on_save() -> None:
    found = check(document(linking("https://{{ user.site }}/x")))
    assert [problem.pointer for problem in found if problem.severity == "error"] == ["/nodes/link/url"]
