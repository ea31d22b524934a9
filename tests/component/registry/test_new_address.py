"""SWITCHHOOK_PUBLIC_URL was changed: channels follow, and platforms that were told by us are told again until they take it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from contracts.registry import Channel
from registry.kafka import new_address
from registry.kafka.channel_checks import ChannelChecks
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.kafka.new_address import NewAddress
from registry.site import Site
from registry.writing.writes import Writes
from support.registry_api import PUBLIC_URL, Project, RegistryUnderTest, answered, new_project
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEW = "https://new.example.com"
GOOD = answered(status=200, body={"ok": True, "result": {"id": 123456, "username": "shop_bot"}})
AWAY = answered(problems=("The host did not answer.",))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_SECONDS", "FIRST_RETRY_SECONDS", "LAST_RETRY_SECONDS"):
        monkeypatch.setattr(new_address, name, 0.05)


@pytest_asyncio.fixture(loop_scope="module")
async def project(registry: RegistryUnderTest) -> Project:
    """A new project, and no channel of another test: all of an installation are told."""
    await registry.database.pool.execute("DELETE FROM entity WHERE kind = 'channel'")
    return await new_project(registry)


async def telegram(project: Project, **fields: Any) -> dict[str, Any]:
    project.registry.dispatcher.reply = lambda action: GOOD
    body = {"bot": await project.bot(), "type": "telegram", "credentials": {"token": "123456:x"}} | fields
    return dict(await project.post("/v1/channels", body))


async def credentials(project: Project, id: str) -> dict[str, str]:
    text = await project.registry.database.pool.fetchval("SELECT data::text FROM entity WHERE id = $1", id)
    channel = Channel.model_validate_json(text)
    assert channel.credentials is not None
    return dict(orjson.loads(project.registry.site.open(channel.credentials, of=channel, field="credentials")))


def asked(project: Project, channel: dict[str, Any]) -> list[str]:
    return [action.method for action in project.registry.dispatcher.actions if action.channel_id == channel["id"]]


@contextlib.asynccontextmanager
async def started_at(project: Project, url: str, *, leads: bool = True) -> AsyncIterator[NewAddress]:
    """What a replica does beside the one of the tests, under another public URL."""
    replica = project.registry
    site = Site(url, replica.site.keys, replica.site.links, replica.site.limits, replica.site.checks)
    calls = DispatcherCalls(replica.dispatcher, replica.dispatcher)
    checks = ChannelChecks(Writes(replica.database, replica.tail, site), calls, site)
    made = NewAddress(replica.database.pool, checks, url, lambda: leads)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_platform_is_told_the_new_address_once_it_answers_and_then_no_more(project: Project) -> None:
    made = await telegram(project)
    project.registry.dispatcher.reply = lambda action: AWAY
    async with started_at(project, NEW) as address:
        reason = await eventually(address.problem)
        assert reason.startswith(f"Channels whose platform still calls an address before {NEW}: 1;")
        assert f"The first, {made['id']}: The platform was not reached: The host did not answer." in reason
        await eventually(lambda: asked(project, made).count("getMe") >= 3)
        project.registry.dispatcher.reply = lambda action: GOOD
        await eventually(lambda: address.problem() is None)
        assert asked(project, made)[-1] == "setWebhook"
        assert asked(project, made).count("setWebhook") == 2  # When it was made, and now.
        opened = await credentials(project, made["id"])
        assert opened["inbound_url"] == made["inbound_url"].replace(PUBLIC_URL, NEW)
        assert opened["secret_token"] == made["secret_token"]
        before = asked(project, made)
    async with started_at(project, NEW), started_at(project, NEW):
        other = await telegram(project)
        await eventually(
            lambda: asked(project, other)[-1] == "setWebhook" and asked(project, other).count("setWebhook") >= 2
        )
    assert asked(project, made) == before


async def test_the_call_is_for_the_credentials_with_the_new_address(project: Project) -> None:
    made = await telegram(project)
    async with started_at(project, NEW):
        await eventually(lambda: asked(project, made).count("setWebhook") == 2)
    versions = [a.credentials_version for a in project.registry.dispatcher.actions if a.channel_id == made["id"]]
    assert versions[-1] == 2


async def test_a_channel_shows_what_is_still_to_be_told(project: Project) -> None:
    made = await telegram(project)
    path = f"/v1/channels/{made['id']}"
    assert "hints" not in await project.get(path)
    async with started_at(project, NEW):
        await eventually(lambda: asked(project, made).count("setWebhook") == 2)

        async def shows() -> bool:  # To this replica the new address is another one.
            return "The platform still calls https://new.example.com" in str((await project.get(path)).get("hints"))

        assert await eventually(shows)


async def test_what_a_person_told_stays_with_that_person_and_a_check_follows(project: Project) -> None:
    made = await telegram(project, set_webhook=False)
    async with started_at(project, NEW):
        other = await telegram(project)
        await eventually(lambda: asked(project, other).count("setWebhook") == 2)
    assert "setWebhook" not in asked(project, made)
    assert (await credentials(project, made["id"]))["inbound_url"].startswith(PUBLIC_URL)


async def test_a_replica_that_does_not_lead_tells_nobody(project: Project) -> None:
    made = await telegram(project)
    async with started_at(project, NEW, leads=False) as follower, started_at(project, PUBLIC_URL):
        other = await telegram(project)
        assert asked(project, other) == ["getMe", "setWebhook"]
        assert follower.problem() is None
    assert asked(project, made) == ["getMe", "setWebhook"]


async def test_one_whose_credentials_cannot_be_opened_is_named_and_the_others_are_told(project: Project) -> None:
    lost, made = await telegram(project), await telegram(project)
    pool = project.registry.database.pool
    broken = """UPDATE entity SET data = jsonb_set(data, '{credentials,ciphertext}', '"AAAA"') WHERE id = $1"""
    await pool.execute(broken, lost["id"])
    project.registry.dispatcher.reply = lambda action: AWAY if action.channel_id == lost["id"] else GOOD
    async with started_at(project, NEW) as address:
        await eventually(lambda: asked(project, made).count("setWebhook") == 2)
        await eventually(lambda: lost["id"] in (address.problem() or ""))
    await pool.execute("DELETE FROM entity WHERE id = $1", lost["id"])
