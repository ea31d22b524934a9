"""What is secret is nowhere in the clear: not on the topic, not in the database, not in a later answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import orjson
import pytest

from contracts.registry import TOPIC
from servicekit.kafka.cluster import Cluster
from support.registry_api import Project, RegistryUnderTest, answered, new_project, running_registry
from support.registry_topic import read_topic

PLANTED = ("999:planted-telegram", "planted-secret-value", "planted-header-value", "planted-query-value")
PATHS = (
    "projects",
    "tokens",
    "bots",
    "channels",
    "flows",
    "triggers",
    "endpoints",
    "secrets",
    "api-calls",
    "hook-urls",
)
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'registry'"


@pytest.fixture
async def replica(
    cluster: Cluster, migrated: str, make_topic: Callable[..., Awaitable[str]]
) -> AsyncIterator[RegistryUnderTest]:
    await make_topic(TOPIC.name)
    async with running_registry(cluster, migrated) as running:
        yield running


async def plant(project: Project) -> list[str]:
    """Make one of everything that has a secret; the secrets that the answers showed once."""
    project.registry.dispatcher.reply = lambda action: answered(status=200, body={"ok": True, "result": {"id": 999}})
    bot = await project.bot()
    key = {"idempotency-key": "planted"}
    token = await project.post("/v1/tokens", {"name": "admin", "scopes": ["admin"]}, headers=key)
    body = {"bot": bot, "type": "telegram", "credentials": {"token": PLANTED[0]}}
    channel = await project.post("/v1/channels", body, headers=key)
    await project.post("/v1/secrets", {"name": "crm", "value": PLANTED[1]}, headers=key)
    sent = {"headers": {"X-Key": PLANTED[2]}, "url": f"https://crm.example.com/a?key={PLANTED[3]}"}
    call = {"name": "seats", "method": "GET", "params": {"key": PLANTED[3]}, "auth": "secret.crm"}
    made = await project.post("/v1/api-calls", call | sent, headers=key)
    await project.post(f"/v1/api-calls/{made['id']}/test", expect=200)
    hook = sent | {"events": ["*"]}
    endpoint = await project.post("/v1/endpoints", hook, headers=key)
    rotated = await project.post(f"/v1/endpoints/{endpoint['id']}/rotate-secret", headers=key, expect=200)
    trigger_body = {"flow": await project.published_flow(bot), "entry": "bought", "new_token": {"name": "shop"}}
    trigger = await project.post("/v1/triggers", trigger_body, headers=key)
    random = channel["inbound_url"].rpartition("/")[2]
    return [token["token"], random, channel["secret_token"], endpoint["secret"], rotated["secret"], trigger["token"]]


def found(secrets: list[str], where: str) -> list[str]:
    return [secret for secret in secrets if secret in where]


async def test_no_secret_is_in_the_clear_anywhere(cluster: Cluster, replica: RegistryUnderTest) -> None:
    project = await new_project(replica)
    secrets = [*PLANTED, *await plant(project)]
    signing = [secret.removeprefix("whsec_") for secret in secrets]
    records = await read_topic(cluster.servers, cluster.named(TOPIC.name))
    assert len(records) > 8
    assert found(signing, "\n".join(f"{key} {(value or b'').decode()}" for key, value in records)) == []
    assert found(signing, await everything_stored(replica)) == []
    assert found(signing, await everything_shown(project)) == []
    actions = orjson.dumps([action.model_dump(mode="json") for action in replica.dispatcher.actions]).decode()
    assert found(signing, actions) == []


async def everything_stored(replica: RegistryUnderTest) -> str:
    rows: list[Any] = []
    for table in await replica.database.pool.fetch(TABLES):
        rows += await replica.database.pool.fetch(f"SELECT t::text AS row FROM {table['table_name']} AS t")
    return "\n".join(row["row"] for row in rows)


async def everything_shown(project: Project) -> str:
    shown = [await project.get(f"/v1/{path}") for path in PATHS]
    ones = [
        await project.get(f"/v1/{path}/{item['id']}")
        for path, page in zip(PATHS, shown, strict=True)
        for item in page["items"]
    ]
    return orjson.dumps([shown, ones]).decode()


async def test_a_refused_request_does_not_give_its_secrets_back(replica: RegistryUnderTest) -> None:
    project = await new_project(replica)
    answers: list[httpx.Response] = [
        await project.send("POST", "/v1/secrets", {"name": "no good name", "value": PLANTED[1]}),
        await project.send("POST", "/v1/secrets", {"name": "crm", "value": {"text": PLANTED[1]}}),
        await project.send("POST", "/v1/channels", {"bot": "x", "credentials": {"token": PLANTED[0]}, "type": "fax"}),
    ]
    assert {answer.status_code for answer in answers} == {422}
    assert found(list(PLANTED), "".join(answer.text for answer in answers)) == []
