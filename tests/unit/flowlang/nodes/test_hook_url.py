"""Generated URLs: where they may send their visitor."""

from __future__ import annotations

from typing import Any


def test_a_hook_url_is_not_made_where_its_redirect_leads_nowhere(talk: Any) -> None:
    away = "https://shop.example/?u={{ event.text }}"
    hook = {"type": "hook_url", "command": "/x", "redirect_to": away, "save_to": "temp.url"}
    said = {name: {"type": "say", "parts": [{"text": name}]} for name in ("made", "refused")}
    t = talk({"hook": hook | {"ports": {"next": "made", "error": "refused"}}} | said)
    t.say("/go")
    t.say("/go " + "x" * 3000)
    assert (t.texts, len(t.links)) == (["refused"], 2)  # One for each of the two times that the first event is stepped.
