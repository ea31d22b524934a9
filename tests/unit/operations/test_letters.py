"""What `held` and `dlq` print of what others have written."""

from __future__ import annotations

import json
from typing import Any, Self

import pytest
from typer.testing import CliRunner

from operations.commands import letters

HELD = {"conversation": "c", "events": 3, "since": "now", "bot_id": "b", "channel_id": "ch"}
PEER, ERROR = "ann\x1b[2J", "no\nroom \u202e"


class Service:
    """Answers by path."""

    def __init__(self, pages: dict[str, Any]) -> None:
        self._pages = pages

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def get(self, path: str) -> Any:
        return dict(self._pages[path])


def printed(monkeypatch: pytest.MonkeyPatch, pages: dict[str, Any], words: str) -> str:
    monkeypatch.setattr(letters, "api_of", lambda *of: Service(pages))
    found = CliRunner().invoke(letters.held_app, words.split())
    assert found.exit_code == 0
    return found.stdout


def test_a_held_conversation_is_one_line_whatever_its_peer_and_error_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"/v1/held?limit=200": {"items": [HELD | {"peer_id": PEER, "error": ERROR}], "next": None}}
    line = r"c  3 events  since now  b/ch/ann\u001b[2J  no\nroom \u202e"
    assert printed(monkeypatch, pages, "list") == f"{line}\n"


def test_all_events_that_wait_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = [{"position": 1, "value": PEER}], [{"position": 2, "value": ERROR}]
    path = "/v1/held/c?limit=200"
    pages = {path: HELD | {"items": first, "next": "n"}, f"{path}&cursor=n": HELD | {"items": second, "next": None}}
    shown = printed(monkeypatch, pages, "show c")
    assert json.loads(shown) == HELD | {"items": first + second}
    assert "\x1b" not in shown
    assert "\u202e" not in shown
