"""Endpoints and their event choice."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.registry import Endpoint
from registry.values import endpoint_secrets, unsealed
from servicekit.credentials.sent_values import sent_values
from support.registry_api import Project

pytestmark = pytest.mark.asyncio(loop_scope="module")
CRM = {"url": "https://crm.example.com/hook", "events": ["message.received", "flag.*"]}


async def secrets_of(project: Project, id: str) -> list[str]:
    text = await project.registry.database.pool.fetchval("SELECT data::text FROM entity WHERE id = $1", id)
    endpoint = Endpoint.model_validate_json(text)
    return [project.registry.site.open(secret, of=endpoint, field="secrets") for secret in endpoint.secrets]


async def test_an_endpoint_gets_the_events_that_were_chosen(project: Project) -> None:
    made = await project.post("/v1/endpoints", CRM | {"schedule": [5, 60], "title_map": {"flag.assigned": "Flag"}})
    assert made["events"] == ["message.received", "flag.assigned", "flag.removed"]
    assert (made["name"], made["format"], made["schedule"]) == ("crm.example.com", "switchhook", [5, 60])
    assert (made["state"], made["title_map"]) == ("enabled", {"flag.assigned": "Flag"})
    everything = await project.post("/v1/endpoints", CRM | {"events": ["*"]})
    assert everything["events"] == ["*"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": []},
        {"events": ["message.*", "nothing.*"]},
        {"events": ["trigger.request"]},
        {"url": "mailto:a@example.com"},
        {"filter": "1 +"},
        {"format": "template"},
        {"template": "{{ type }}"},
        {"format": "template", "template": "{% if %}"},
        {"bots": ["nobody"]},
        {"schedule": [0]},
        {"rate_limit": {"count": 0}},
        {"headers": {"webhook-id": "mine"}},
    ],
)
async def test_a_wrong_endpoint_is_refused(project: Project, wrong: dict[str, Any]) -> None:
    await project.post("/v1/endpoints", CRM | wrong, expect=422)


async def test_the_secret_is_shown_once(project: Project) -> None:
    made = await project.post("/v1/endpoints", CRM)
    assert await secrets_of(project, made["id"]) == [made["secret"]]
    assert (await project.get(f"/v1/endpoints/{made['id']}")).keys().isdisjoint({"secret", "secrets"})


async def test_a_second_rotation_inside_an_overlap_keeps_each_secret_until_its_time(project: Project) -> None:
    """Seen: it dropped the first one at once, and who still verified with it refused everything."""
    made = await project.post("/v1/endpoints", CRM)
    rotate = f"/v1/endpoints/{made['id']}/rotate-secret"
    second = await project.post(rotate, {"overlap_seconds": 3600}, expect=200)
    third = await project.post(rotate, {"overlap_seconds": 60}, expect=200)
    assert await secrets_of(project, made["id"]) == [third["secret"], second["secret"], made["secret"]]
    over = "UPDATE entity SET extra = jsonb_set(jsonb_set(extra, '{secret_ends,0}', $2), '{retire_secret_at}', $2) WHERE id = $1"
    await project.registry.database.pool.execute(over, made["id"], '"2020-01-01"')
    async with project.registry.database.pool.acquire() as connection:
        await endpoint_secrets.retire_due(connection)
    assert await secrets_of(project, made["id"]) == [third["secret"], made["secret"]]
    for _ in range(endpoint_secrets.MOST - 2):
        await project.post(rotate, {"overlap_seconds": 60}, expect=200)
    await project.post(rotate, {"overlap_seconds": 60}, expect=422)
    last = await project.post(rotate, {"overlap_seconds": 0}, expect=200)
    assert await secrets_of(project, made["id"]) == [last["secret"]]


async def test_both_secrets_sign_until_the_overlap_is_over(project: Project) -> None:
    made = await project.post("/v1/endpoints", CRM)
    path = f"/v1/endpoints/{made['id']}"
    rotated = await project.post(f"{path}/rotate-secret", {"overlap_seconds": 3600}, expect=200)
    assert await secrets_of(project, made["id"]) == [rotated["secret"], made["secret"]]
    pool = project.registry.database.pool
    due = "UPDATE entity SET extra = jsonb_set(extra, '{retire_secret_at}', '\"2020-01-01\"') WHERE id = $1"
    await pool.execute(due, made["id"])
    async with pool.acquire() as connection:
        await endpoint_secrets.retire_due(connection)
    assert await secrets_of(project, made["id"]) == [rotated["secret"]]
    again = await project.post(f"{path}/rotate-secret", {"overlap_seconds": 0}, expect=200)
    assert await secrets_of(project, made["id"]) == [again["secret"]]


async def test_an_endpoint_is_disabled_and_enabled(project: Project) -> None:
    made = await project.post("/v1/endpoints", CRM)
    path = f"/v1/endpoints/{made['id']}"
    assert (await project.post(f"{path}/disable", expect=200))["state"] == "disabled"
    assert [one["id"] for one in (await project.get("/v1/endpoints?state=disabled"))["items"]] == [made["id"]]
    assert (await project.post(f"{path}/enable", expect=200))["state"] == "enabled"


async def test_a_bot_that_an_endpoint_listens_to_is_not_deleted(project: Project) -> None:
    bot = await project.bot()
    made = await project.post("/v1/endpoints", CRM | {"bots": [bot]})
    await project.call("DELETE", f"/v1/bots/{bot}", expect=409)
    await project.call("PATCH", f"/v1/endpoints/{made['id']}", {"bots": [], "ordered": True})
    await project.call("DELETE", f"/v1/bots/{bot}", expect=204)


async def test_header_and_query_values_are_written_once_and_asked_for_again_for_another_host(project: Project) -> None:
    url = "https://crm.example.com/hook?code=planted-query"
    made = await project.post("/v1/endpoints", CRM | {"url": url, "headers": {"X-Key": "planted-header"}})
    assert (made["url"], made["headers"]) == ("https://crm.example.com/hook?code=[hidden]", {"X-Key": "[hidden]"})
    path = f"/v1/endpoints/{made['id']}"
    away = await project.call("PATCH", path, {"url": "https://evil.example/"}, expect=422)
    assert away["errors"][0]["pointer"] == "#/headers"
    await project.call("PATCH", path, {"url": made["url"], "headers": made["headers"], "ordered": True})
    text = await project.registry.database.pool.fetchval("SELECT data::text FROM entity WHERE id = $1", made["id"])
    assert sent_values(project.registry.site.keys, Endpoint.model_validate_json(text))[:2] == (
        url, {"X-Key": "planted-header"}
    )  # fmt: skip


async def test_what_an_earlier_release_kept_in_the_clear_is_sealed_and_published(project: Project) -> None:
    made = await project.post("/v1/endpoints", CRM | {"url": "https://crm.example.com/?a=planted"})
    pool, keys = project.registry.database.pool, project.registry.site.keys
    plain = """
        UPDATE entity SET data = (data - 'sealed') || '{"url": "https://crm.example.com/?a=old", "headers": {"X-A": "old"}}'
        WHERE id = $1
    """
    await pool.execute(plain, made["id"])
    async with pool.acquire() as connection:
        await unsealed.seal_due(connection, keys)
        await unsealed.seal_due(connection, keys)
    row = await pool.fetchrow("SELECT data::text AS data, version FROM entity WHERE id = $1", made["id"])
    endpoint = Endpoint.model_validate_json(row["data"])
    assert (row["version"], "old" in row["data"]) == (2, False)
    assert sent_values(keys, endpoint)[:2] == ("https://crm.example.com/?a=old", {"X-A": "old"})
    await pool.execute("UPDATE entity SET data = data - 'sealed' WHERE id = $1", made["id"])
    async with pool.acquire() as connection:
        await unsealed.seal_due(connection, keys)
    assert not await pool.fetchval("SELECT data ? 'sealed' FROM entity WHERE id = $1", made["id"])
