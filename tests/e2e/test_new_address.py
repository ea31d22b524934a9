"""An installation moves to another public URL: what it shows follows, and Telegram is told, though it is away at first."""

from __future__ import annotations

import pytest
from bench.chaos.readiness import said

from operations.api import Api
from support.fake_telegram import FakeTelegram, fake_telegram
from support.ground import Ground
from support.reached import reached
from support.receiver import receiver
from support.story import Story
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
OLD, NEW = "https://old.example.com", "https://new.example.com"
PUBLIC_URL = "SWITCHHOOK_PUBLIC_URL"


@pytest.mark.seconds(90)
async def test_urls_follow_and_telegram_is_told_once(ground: Ground) -> None:
    before = ground.stack.service("registry").env[PUBLIC_URL]
    try:
        async with fake_telegram() as telegram, receiver() as shop:
            await move(ground, OLD)
            await moves(ground, Story(reached(ground.stack), telegram, shop, print), telegram)
    finally:
        await move(ground, before)


async def moves(ground: Ground, story: Story, telegram: FakeTelegram) -> None:
    stack = ground.stack
    await story.the_author_sets_up()
    channel, trigger, bot = story.setting.channel, story.setting.trigger, story.setting.bot
    async with Api(stack.base_url, stack.secrets.admin_token, story.setting.project) as api:
        chat = await api.post("/v1/channels", {"bot": bot, "type": "webchat"})
        link = (await api.post("/v1/hook-urls", {"bot": bot, "command": "/onWebhook"}))["url"]
        assert telegram.webhook["url"] == channel["inbound_url"]
        assert all(url.startswith(OLD) for url in (channel["inbound_url"], chat["inbound_url"], trigger["url"], link))

        telegram.fail_next("setWebhook", 502, "Bad Gateway")
        await move(ground, NEW)
        await eventually(lambda: warned(ground, channel["id"]), seconds=20)
        assert (await api.get(f"/v1/channels/{channel['id']}"))["hints"]
        moved = channel["inbound_url"].replace(OLD, NEW)
        await eventually(lambda: telegram.webhook["url"] == moved, seconds=30)
        await eventually(lambda: silent(ground), seconds=20)
        assert telegram.webhook["secret_token"] == channel["secret_token"]
        told = [call.ok for call in telegram.calls if call.method == "setWebhook" and call.body["url"] == moved]
        assert told == [False, True]
        assert "hints" not in await api.get(f"/v1/channels/{channel['id']}")
        assert (await api.get(f"/v1/channels/{chat['id']}"))["inbound_url"] == chat["inbound_url"].replace(OLD, NEW)
        assert (await api.get(f"/v1/triggers/{trigger['id']}"))["url"].startswith(f"{NEW}/v1/run/")
        for path in (f"/v1/triggers/{trigger['id']}", f"/v1/channels/{channel['id']}"):  # It would be told again below.
            await api.delete(path)


async def move(ground: Ground, url: str) -> None:
    """Start the service that shows addresses again, at another one."""
    registry = ground.stack.service("registry")
    registry.env[PUBLIC_URL] = url
    await registry.stop()
    await registry.start()


async def warned(ground: Ground, channel: str) -> bool:
    return f"address before {NEW}" in (text := (await said(ground.stack)).get("registry", "")) and channel in text


async def silent(ground: Ground) -> bool:
    return "registry" not in await said(ground.stack)
