"""Code nodes: what they may do, what they get, and what stops them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from flowlang.model import RunCode
from flowtools.sandbox import Sandbox

NOW = "2026-01-02T03:04:05.000Z"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """With more time than code ever gets: its machine may have more to do than its cores can."""
    async with Sandbox(1, seconds=5.0) as running:
        yield running


async def test_code_that_does_not_end_is_a_failed_step_within_its_time() -> None:
    async with Sandbox(1) as running:
        result = await run(running, "while True:\n    pass")
    assert (result["ok"], result["value"]) == (False, None)
    assert "time limit" in result["error"]


async def run(sandbox: Sandbox, source: str, *, seed: str = "e1", **inputs: Any) -> dict[str, Any]:
    return await sandbox.run(RunCode("w1", source, inputs, NOW, seed), lambda asked: f"https://x/{asked['command']}")


async def test_code_collects_messages_and_commands(sandbox: Sandbox) -> None:
    source = (
        "send('Paid ' + content['id'])\nrun('/next', user_id='7', content={'a': 1})\nsend(url_for('/again'))\n40 + 2"
    )
    result = await run(sandbox, source, content={"id": "n1"})
    assert result == {
        "wait": "w1",
        "ok": True,
        "value": 42,
        "sent": ["Paid n1", "https://x//again"],
        "runs": [{"command": "/next", "user_id": "7", "content": {"a": 1}}],
        "error": None,
    }


@pytest.mark.parametrize(
    "away", ["//evil.example", "javascript:alert(1)", "https://me:pw@evil.example/", "ftp://a.example", "/thanks", ""]
)
async def test_code_sends_a_visitor_to_web_addresses_only(sandbox: Sandbox, away: str) -> None:
    result = await run(sandbox, f"url_for('/again', redirect_to={away!r})")
    assert (result["ok"], "redirect_to" in result["error"]) == (False, True)
    taken = await run(sandbox, "url_for('/again', redirect_to='https://shop.example/thanks?a=1')")
    assert taken["value"] == "https://x//again"


async def test_fail_ends_the_step_with_its_text_even_when_it_is_caught(sandbox: Sandbox) -> None:
    assert (await run(sandbox, "fail('no money')"))["error"] == "no money"
    caught = await run(sandbox, "try:\n    fail('no money')\nexcept Exception:\n    pass\n1")
    assert (caught["ok"], caught["error"]) == (False, "no money")


async def test_clock_and_dice_are_the_events(sandbox: Sandbox) -> None:
    source = "import datetime, random\n[str(datetime.datetime.now()), random.random()]"
    first, again, other = await run(sandbox, source), await run(sandbox, source), await run(sandbox, source, seed="e2")
    assert first == again
    assert first["value"][0].startswith("2026-01-02 03:04:05")
    assert first["value"][1] != other["value"][1]


async def test_one_run_leaves_nothing_for_the_next(sandbox: Sandbox) -> None:
    await run(sandbox, "secret = 'of project one'")
    assert "NameError" in (await run(sandbox, "secret"))["error"]


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("x = 'a' * 100_000_000", "memory limit"),
        ("for n in range(100):\n    send('x')", "at most 64"),
        ("send('x' * 70_000)", "characters"),
        ("'x' * 70_000", "more than"),
        ("send(10 ** 5000)", ""),
        ("open('/etc/passwd')", "denied"),
        ("import os\nos.environ", "not supported"),
        ("raise ValueError('why')", "ValueError: why"),
        ("def", "Expected"),
        ("class A:\n    pass\nA()", "JSON"),
    ],
)
async def test_a_passed_limit_or_an_error_is_a_failed_step(sandbox: Sandbox, source: str, word: str) -> None:
    result = await run(sandbox, source)
    assert not result["ok"]
    assert word in result["error"]
    assert result["value"] is None
