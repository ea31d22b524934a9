"""Channels: sealed credentials, inbound URLs, and what the platform says."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson
import pytest

from contracts.registry import Channel
from support.registry_api import Project, answered

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKEN = "123456:planted-bot-token"
GOOD = answered(status=200, body={"ok": True, "result": {"id": 123456, "username": "shop_bot"}})
BAD = answered(status=401, body={"ok": False, "description": "Unauthorized"}, problems=("Unauthorized",))
AWAY = answered(problems=("The host did not answer.",))


async def telegram(project: Project, **fields: Any) -> dict[str, Any]:
    body = {"bot": await project.bot(), "type": "telegram", "credentials": {"token": TOKEN}} | fields
    return dict(await project.post("/v1/channels", body))


async def stored(project: Project, id: str) -> Channel:
    text = await project.registry.database.pool.fetchval("SELECT data::text FROM entity WHERE id = $1", id)
    return Channel.model_validate_json(text)


async def test_a_telegram_channel_is_checked_and_its_webhook_set(project: Project) -> None:
    dispatcher = project.registry.dispatcher
    dispatcher.reply, before = lambda action: GOOD, len(dispatcher.actions)
    made = await telegram(project)
    asked = dispatcher.actions[before:]
    assert [(action.method, action.channel_id) for action in asked] == [
        ("getMe", made["id"]), ("setWebhook", made["id"])
    ]  # fmt: skip
    assert asked[1].params == {"allowed_updates": ["message", "callback_query", "my_chat_member"]}
    assert (made["external_id"], made["url"], made["webhook_set"]) == ("123456", "https://t.me/shop_bot", True)
    assert (await project.get(f"/v1/channels/{made['id']}"))["url"] == "https://t.me/shop_bot"


async def test_credentials_are_sealed_with_what_the_webhook_needs(project: Project) -> None:
    project.registry.dispatcher.reply = lambda action: GOOD
    made = await telegram(project)
    channel = await stored(project, made["id"])
    assert channel.credentials is not None
    opened = orjson.loads(project.registry.site.open(channel.credentials, of=channel, field="credentials"))
    assert opened == {
        "token": TOKEN, "secret_token": made["secret_token"], "inbound_url": made["inbound_url"]
    }  # fmt: skip
    random = made["inbound_url"].removeprefix(f"https://hooks.example.com/v1/in/{made['id']}/")
    assert channel.inbound_sha256 == sha256(random.encode()).hexdigest()
    assert channel.secret_token_sha256 == sha256(made["secret_token"].encode()).hexdigest()
    shown = await project.get(f"/v1/channels/{made['id']}")
    assert shown.keys().isdisjoint({"credentials", "secret_token", "inbound_url", "inbound_sha256"})


async def test_refused_credentials_are_told_in_the_platforms_words(project: Project) -> None:
    project.registry.dispatcher.reply = lambda action: BAD
    body = {"bot": await project.bot(), "type": "telegram", "credentials": {"token": TOKEN}}
    headers = {"idempotency-key": "refused"}
    for _ in range(2):
        problem = await project.post("/v1/channels", body, expect=422, headers=headers)
        assert problem["detail"] == "Unauthorized"
    assert (await project.get("/v1/channels"))["items"] == []


async def test_a_platform_that_is_away_leaves_the_channel_with_a_hint(project: Project) -> None:
    project.registry.dispatcher.reply = lambda action: AWAY
    made = await telegram(project)
    assert (made["webhook_set"], made["external_id"]) == (False, "123456")
    assert made["hints"][0].startswith("The platform was not reached: The host did not answer.")


async def test_a_webhook_that_is_not_wanted_is_not_set(project: Project) -> None:
    project.registry.dispatcher.reply = lambda action: GOOD
    made = await telegram(project, set_webhook=False)
    assert (made["webhook_set"], project.registry.dispatcher.actions[-1].method) == (False, "getMe")
    checked = await project.post(f"/v1/channels/{made['id']}/check", expect=200)
    assert checked["webhook_set"] is True


@pytest.mark.parametrize(
    ("type", "path"), [("http", "/v1/talk/{bot}/sessions"), ("webchat", "/v1/web/{channel}/sessions")]
)
async def test_our_own_channels_have_an_open_inbound_url(project: Project, type: str, path: str) -> None:
    bot = await project.bot()
    made = await project.post("/v1/channels", {"bot": bot, "type": type, "allowed_origins": ["https://shop.example"]})
    assert made["inbound_url"] == "https://hooks.example.com" + path.format(bot=bot, channel=made["id"])
    assert made["allowed_origins"] == ["https://shop.example"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "telegram", "credentials": {}},
        {"type": "telegram", "credentials": {"token": "no number"}},
        {"type": "http", "credentials": {"token": TOKEN}},
        {"type": "whatsapp"},
        {"type": "http", "api_base_url": "ftp://x"},
        {"type": "telegram", "credentials": {"token": TOKEN}, "api_base_url": "https://x.example/?a=1"},
        {"type": "telegram", "credentials": {"token": TOKEN}, "api_base_url": "https://x.example/#a"},
    ],
)
async def test_a_wrong_channel_is_refused(project: Project, wrong: dict[str, Any]) -> None:
    problem = await project.post("/v1/channels", {"bot": await project.bot()} | wrong, expect=422)
    assert TOKEN not in orjson.dumps(problem).decode()


async def test_new_credentials_keep_the_inbound_url(project: Project) -> None:
    project.registry.dispatcher.reply = lambda action: GOOD
    made = await telegram(project)
    await project.call("PATCH", f"/v1/channels/{made['id']}", {"credentials": {"token": "99:other"}, "state": "paused"})
    channel = await stored(project, made["id"])
    assert channel.credentials is not None
    opened = orjson.loads(project.registry.site.open(channel.credentials, of=channel, field="credentials"))
    assert (opened["token"], opened["inbound_url"]) == ("99:other", made["inbound_url"])
    assert (channel.external_id, channel.state) == ("99", "paused")


async def test_another_base_url_asks_for_the_credentials_again(project: Project) -> None:
    project.registry.dispatcher.reply = lambda action: GOOD
    path = f"/v1/channels/{(await telegram(project))['id']}"
    problem = await project.call("PATCH", path, {"api_base_url": "https://evil.example"}, expect=422)
    assert problem["errors"][0]["pointer"] == "#/credentials"
    own = {"api_base_url": "https://telegram.shop.example", "credentials": {"token": TOKEN}}
    assert (await project.call("PATCH", path, own))["api_base_url"] == own["api_base_url"]
    await project.call("PATCH", path, {"api_base_url": "https://telegram.shop.example/bot-api", "name": "Bot"})
    await project.call("PATCH", path, {"api_base_url": None}, expect=422)
