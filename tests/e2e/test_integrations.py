"""The lines of examples/integrations/README.md: a CRM, a bridge and orders, as processes beside the stack."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from devstack.paths import ROOT
from devstack.seed import plant_all, read_examples
from support.fake_telegram import BOT_ID, FakeTelegram, fake_telegram
from support.ground import Ground
from support.receiver import Receiver, receiver
from support.shells import shell
from support.topics import create_topic, delete_topics
from support.waiting import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.seconds(60)]
FOLDER = ROOT / "examples/integrations"
LINES = re.findall(r"(?m)^(\.venv/bin/python .*)$", (FOLDER / "README.md").read_text())
ANN = 104117781


@contextlib.asynccontextmanager
async def at_work(line: str, variables: dict[str, str]) -> AsyncIterator[None]:
    """A program that runs until it is asked to stop, and then stops by itself."""
    process = await asyncio.create_subprocess_exec(
        *line.split(), cwd=ROOT, env=os.environ | variables | {"no_proxy": "*"}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield
    finally:
        process.terminate()
        _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


async def make_the_bot(ground: Ground, telegram: FakeTelegram, shop: Receiver, folder: Path) -> dict[str, str]:
    """The order bot in a project of its own, and Ann, who has written to it; the variables of the README."""
    stack = ground.stack
    seed = await plant_all(stack.base_url, stack.secrets.admin_token, read_examples())
    given = seed.variables(stack.base_url) | {"TELEGRAM_API": telegram.url, "TELEGRAM_TOKEN": f"{BOT_ID}:ABC"}
    made = await shell(f"{ROOT}/examples/order-bot/make.sh", folder, given | {"SHIPPING_URL": f"{shop.url}/shipping"})
    bot = dict(re.findall(r"(?m)^(\w+)='(.*)'$", made))
    said = json.dumps(telegram.text_update(1, ANN, "/start", first_name="Ann"))
    await shell(
        f"curl -sS --fail-with-body '{bot['INBOUND_URL']}' -H 'x-telegram-bot-api-secret-token: {bot['INBOUND_SECRET']}' -d '{said}'",
        folder, {},
    )  # fmt: skip
    kafka = {"SWITCHHOOK_KAFKA": stack.cluster.servers, "SWITCHHOOK_TOPIC_PREFIX": stack.cluster.topic_prefix}
    return {"TOKEN": seed.token, "PROJECT": seed.project_id, "BOT": bot["BOT"], "CHANNEL": bot["CHANNEL"], **kafka}


async def test_programs_beside_switchhook(ground: Ground, tmp_path: Path) -> None:
    servers = ground.stack.cluster.servers
    crm_sync, bridge, order = LINES
    async with fake_telegram() as telegram, receiver() as crm:
        crm.answer("/shipping", 200, {"responses": ["It arrives tomorrow."]})
        variables = await make_the_bot(ground, telegram, crm, tmp_path)
        chats = await create_topic(servers, f"chats-{variables['PROJECT']}")
        variables |= {"CRM_URL": crm.url, "BUS": servers, "BUS_TOPIC": chats}
        async with at_work(crm_sync, variables), at_work(bridge, variables), messages_of(servers, chats) as bus:
            for _ in ("once", "and the same again"):
                assert await last_line(order, variables) == "started"
            to_nobody = order.replace("A-79", "A-80").replace(str(ANN), "999")
            assert (await last_line(to_nobody, variables)).startswith("peer-not-reachable: ")
            await eventually(
                lambda: [r for r in crm.requests if r.method == "PUT" and r.json().get("first_name") == "Ann"]
            )
            greeted = await eventually(lambda: [each for each in bus if each["text"] == "/start"], seconds=30)
            assert len({each["conversation"] for each in greeted}) == 1
            await eventually(lambda: any("Thank you for order A-79." in each["text"] for each in telegram.messages))
        assert [each["text"] for each in telegram.messages].count("Thank you for order A-79.") == 1
    await delete_topics(servers, chats)


async def last_line(line: str, variables: dict[str, str]) -> str:
    """What it printed, behind FastStream's log."""
    return (await shell(line, ROOT, variables)).splitlines()[-1]


@contextlib.asynccontextmanager
async def messages_of(servers: str, topic: str) -> AsyncIterator[list[dict[str, Any]]]:
    """What comes to the other bus."""
    came: list[dict[str, Any]] = []
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")

    async def read() -> None:
        async for record in consumer:
            came.append(json.loads(record.value))

    await consumer.start()
    reading = asyncio.create_task(read())
    try:
        yield came
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()
