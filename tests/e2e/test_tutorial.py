"""The lines of docs/tutorial.md, run word for word as somebody pastes them."""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import Any

import pytest

from devstack.paths import ROOT
from devstack.seed import plant_all, read_examples
from support.ground import Ground

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.seconds(60)]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^(?:curl|[A-Z]+=)", re.MULTILINE)


def pasted() -> str:
    """All that is pasted after `dev` runs, line by line."""
    blocks = BLOCK.findall((ROOT / "docs" / "tutorial.md").read_text())
    return "".join(block + "echo\n" for block in blocks if LINE.search(block))


async def test_the_tutorial_does_what_it_says(ground: Ground) -> None:
    stack = ground.stack
    seed = await plant_all(stack.base_url, stack.secrets.admin_token, read_examples())
    shell = await asyncio.create_subprocess_exec(
        "bash", "-ec", pasted().replace("curl ", "curl -s --no-progress-meter -w '\\n' "),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | seed.variables(stack.base_url) | {"no_proxy": "*"},
    )  # fmt: skip
    out, _ = await shell.communicate()
    assert shell.returncode == 0, out
    answers: list[Any] = [json.loads(line) for line in out.decode().splitlines() if line.strip()]
    asked, greeted, paid, refused, opened, wrote, heard, subscribed, said, delivered = answers
    assert (asked["status"], asked["answer"]) == ("waiting", "Hello! What shall I call you?")
    assert greeted["answer"].startswith("Nice to meet you, Ann.")
    assert paid["answer"] == "Your order 1001 is paid, Ann."
    assert (refused["status"], refused["reason"]) == (409, "has-not-talked")
    assert {"session_id", "token"} <= opened.keys()
    assert "message_id" in wrote
    assert heard["messages"][0]["content"]["text"] == "Hello! What shall I call you?"
    assert subscribed["secret"].startswith("whsec_")
    assert said["status"] == "accepted"
    assert "items" in delivered
