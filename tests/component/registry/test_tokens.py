"""Tokens: made, rotated, revoked, and what their scopes allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.credentials.tokens import digest, parse_token
from support.registry_api import Project, RegistryUnderTest

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOP = {"name": "shop", "scopes": ["flows:execute"]}


async def trigger_with_token(project: Project) -> dict[str, Any]:
    bot = await project.bot()
    await project.http_channel(bot)
    flow = await project.published_flow(bot)
    body = {"flow": flow, "entry": "bought", "new_token": {"name": "shop"}}
    return dict(await project.post("/v1/triggers", body))


async def test_a_token_is_shown_once_and_kept_as_a_hash(project: Project) -> None:
    made = await project.post("/v1/tokens", SHOP)
    parsed = parse_token(made["token"])
    assert parsed is not None
    assert (parsed.id, parsed.genuine) == (made["id"], True)
    shown = await project.get(f"/v1/tokens/{made['id']}")
    assert shown.keys().isdisjoint({"token", "sha256"})
    stored = await project.registry.database.pool.fetchval("SELECT data::text FROM entity WHERE id = $1", made["id"])
    assert digest(made["token"]) in stored
    assert made["token"] not in stored


async def test_tokens_are_listed_with_their_scopes(project: Project) -> None:
    await project.post("/v1/tokens", SHOP)
    await project.post("/v1/tokens", {"name": "crm", "scopes": ["data:read", "data:write", "data:read"]})
    listed = (await project.get("/v1/tokens"))["items"]
    assert [(one["name"], one["scopes"]) for one in listed] == [
        ("shop", ["flows:execute"]), ("crm", ["data:read", "data:write"])
    ]  # fmt: skip


async def test_both_apis_in_one_token_get_a_warning(project: Project) -> None:
    mixed = await project.post("/v1/tokens", {"name": "both", "scopes": ["bots:converse", "data:read"]})
    assert len(mixed["warnings"]) == 1
    assert (await project.post("/v1/tokens", SHOP))["warnings"] == []


@pytest.mark.parametrize(
    "wrong",
    [{"scopes": []}, {"scopes": ["fly"]}, {"expires_at": "2020-01-01T00:00:00Z"}, {"allowed_cidrs": ["300.0.0.0/8"]}],
)
async def test_a_wrong_token_is_refused(project: Project, wrong: dict[str, Any]) -> None:
    await project.post("/v1/tokens", SHOP | wrong, expect=422)


async def test_a_token_works_only_from_its_addresses(registry: RegistryUnderTest, project: Project) -> None:
    body = {"name": "admin", "scopes": ["admin"], "allowed_cidrs": ["198.51.100.0/24"]}
    made = await project.post("/v1/tokens", body)
    async with registry.as_token(made["token"]) as client:
        refused = await client.get("/v1/bots")
        assert refused.json()["type"].endswith("/address-not-allowed")
        await project.call("PATCH", f"/v1/tokens/{made['id']}", {"allowed_cidrs": ["203.0.113.0/24"]})
        assert (await client.get("/v1/bots")).status_code == 200


async def test_a_revoked_token_is_refused_at_once(registry: RegistryUnderTest, project: Project) -> None:
    made = await project.post("/v1/tokens", {"name": "admin", "scopes": ["admin"]})
    async with registry.as_token(made["token"]) as client:
        assert (await client.get("/v1/bots")).status_code == 200
        await project.call("DELETE", f"/v1/tokens/{made['id']}", expect=204)
        assert (await client.get("/v1/bots")).status_code == 401


async def test_triggers_of_a_revoked_token_need_another_one(project: Project) -> None:
    trigger = await trigger_with_token(project)
    await project.call("DELETE", f"/v1/tokens/{trigger['auth']['token_id']}", expect=204)
    orphan = await project.get(f"/v1/triggers/{trigger['id']}")
    assert (orphan["state"], "token_id" in orphan["auth"]) == ("needs_token", False)
    token = await project.post("/v1/tokens", SHOP)
    mended = await project.call("PATCH", f"/v1/triggers/{trigger['id']}", {"token_id": token["id"]})
    assert (mended["state"], mended["auth"]["token_id"]) == ("active", token["id"])


async def test_rotation_gives_the_triggers_the_new_token(project: Project) -> None:
    trigger = await trigger_with_token(project)
    old = trigger["auth"]["token_id"]
    new = await project.post(f"/v1/tokens/{old}/rotate", {"overlap_seconds": 60})
    assert (new["name"], new["scopes"]) == ("shop", ["flows:execute"])
    assert (await project.get(f"/v1/triggers/{trigger['id']}"))["auth"]["token_id"] == new["id"]
    retiring = await project.get(f"/v1/tokens/{old}")
    assert retiring["replaced_by"] == new["id"]
    left = datetime.fromisoformat(retiring["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=30) < left <= timedelta(seconds=60)


async def test_rotation_without_overlap_revokes_the_old_token(project: Project) -> None:
    old = await project.post("/v1/tokens", SHOP)
    await project.post(f"/v1/tokens/{old['id']}/rotate")
    await project.get(f"/v1/tokens/{old['id']}", expect=404)
