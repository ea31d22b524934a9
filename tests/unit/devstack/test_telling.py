"""What dev tells of the services' logs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from devstack import telling
from devstack.telling import readable, tell_failures


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"event": "flow.failed", "flow": "feedback", "node": "call", "error": "unknown-api", "detail": "No API."},
            "Flow feedback failed at node call: No API. (unknown-api)",
        ),
        ({"event": "conversation.held", "conversation": "b/c/p", "error": "boom"}, "Conversation b/c/p is held: boom"),
        ({"event": "started"}, None),
        (["flow.failed"], None),
    ],
)
def test_a_line_for_an_author_is_told_in_words(line: object, said: str | None) -> None:
    assert readable(json.dumps(line).encode()) == said
    assert readable(b"Traceback (most recent call last):") is None


async def test_what_is_appended_is_told_once_also_after_the_log_was_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "LOOK_SECONDS", 0.001)
    log, told, more = tmp_path / "engine.log", list[str](), asyncio.Event()

    def report(line: str) -> None:
        told.append(line)
        more.set()

    def line(node: str) -> str:
        return json.dumps({"event": "flow.failed", "flow": "f", "node": node, "error": "e", "detail": "d"}) + "\n"

    log.write_text(line("before") * 3)
    task = asyncio.create_task(tell_failures(log, report))
    try:
        await asyncio.sleep(0)
        with log.open("a") as file:
            file.write(line("a"))
        async with asyncio.timeout(5):
            await more.wait()
            more.clear()
            log.write_text(line("b"))
            await more.wait()
    finally:
        task.cancel()
    assert [one.split()[5] for one in told] == ["a:", "b:"]
