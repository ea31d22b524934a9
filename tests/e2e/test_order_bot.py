"""The lines of examples/README.md, run as they stand there but for addresses, against a Telegram and an API of our own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from devstack.paths import ROOT
from devstack.seed import plant_all, read_examples
from support.fake_telegram import BOT_ID, fake_telegram
from support.ground import Ground
from support.receiver import receiver
from support.shells import shell
from support.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.seconds(60)]
LINES = "".join(re.findall(r"(?ms)^```sh\n(.*?)^```", (ROOT / "examples/README.md").read_text()))


async def test_an_order_is_answered_on_telegram_by_http_and_by_kafka(ground: Ground, tmp_path: Path) -> None:
    stack = ground.stack
    seed = await plant_all(stack.base_url, stack.secrets.admin_token, read_examples())
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    async with fake_telegram() as telegram, receiver() as shop:
        shop.answer("/shipping", 200, {"responses": ["It arrives tomorrow."]})
        lines = LINES.replace("123456:ABC…", f"{BOT_ID}:ABC").replace("https://shop.example.com", shop.url)
        lines = lines.replace("127.0.0.1:9092", stack.cluster.servers)
        made, ordered = lines.split("curl", 1)
        variables = seed.variables(stack.base_url) | {"TELEGRAM_API": telegram.url}
        greeted, ordered = f"curl{ordered}".split("\n", 1)
        await shell(f"{made}{greeted}\n", tmp_path, variables)
        await eventually(lambda: heard(telegram.messages, "Hello Ann. I tell you about your orders."))
        said = await shell(f". ./order-bot.env\n{ordered}", tmp_path, variables)
        assert said.endswith('"status":"started"}started\n'), said
        await eventually(lambda: heard(telegram.messages, "Thank you for order A-77.", "Thank you for order A-78."))
        await eventually(lambda: heard(telegram.messages, *["It arrives tomorrow."] * 2))
        assert {request.json()["order"] for request in shop.requests_to("/shipping")} == {"A-77", "A-78"}


def heard(messages: list[dict[str, Any]], *texts: str) -> bool:
    """Whether the bot has said them all."""
    said = [message["text"] for message in messages]
    return all(said.count(text) >= texts.count(text) for text in texts)
