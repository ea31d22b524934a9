"""Triggers: their tokens, their URLs, the requests that came."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from servicekit.credentials.tokens import digest
from support.registry_api import Project

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Scene:
    """A bot with one channel and a published flow."""

    def __init__(self, project: Project, bot: str, channel: str, flow: str) -> None:
        self.project, self.bot, self.channel, self.flow = project, bot, channel, flow

    async def trigger(self, *, expect: int = 201, **fields: Any) -> dict[str, Any]:
        body = {"flow": self.flow, "entry": "bought"} | fields
        return dict(await self.project.post("/v1/triggers", body, expect=expect))


@pytest_asyncio.fixture(loop_scope="module")
async def scene(project: Project) -> Scene:
    bot = await project.bot()
    return Scene(project, bot, await project.http_channel(bot), await project.published_flow(bot))


async def test_a_new_token_is_made_in_the_same_step_and_stands_in_the_example(scene: Scene) -> None:
    made = await scene.trigger(new_token={"name": "shop"})
    assert made["url"] == f"https://hooks.example.com/v1/run/{made['id']}"
    assert made["channel_id"] == scene.channel
    assert made["body_example"] == {
        "token": made["token"], "peer_id": "<the person's id>", "variables": {"order_id": "…", "count": 1}
    }  # fmt: skip
    assert "peer_id" in made["hint"]
    token = await scene.project.get(f"/v1/tokens/{made['auth']['token_id']}")
    assert (token["name"], token["scopes"]) == ("shop", ["flows:execute"])
    shown = await scene.project.get(f"/v1/triggers/{made['id']}")
    assert (shown["body_example"]["token"], "token" in shown) == ("<the token>", False)


async def test_an_existing_token_can_be_picked(scene: Scene) -> None:
    token = await scene.project.post("/v1/tokens", {"name": "shop", "scopes": ["flows:execute"]})
    made = await scene.trigger(token_id=token["id"])
    assert (made["auth"], made["state"]) == ({"scheme": "token", "token_id": token["id"]}, "active")


async def test_a_token_without_the_right_scope_is_refused(scene: Scene) -> None:
    token = await scene.project.post("/v1/tokens", {"name": "crm", "scopes": ["data:read"]})
    problem = await scene.trigger(token_id=token["id"], expect=422)
    assert problem["errors"][0]["pointer"] == "#/token_id"


async def test_a_group_chat_fills_the_peer_in(scene: Scene) -> None:
    made = await scene.trigger(new_token={"name": "shop"}, peer={"group": "-100200300"})
    assert (made["group_peer_id"], made["body_example"]["peer_id"]) == ("-100200300", "-100200300")
    assert "filled in" in made["hint"]
    private = await scene.project.call("PATCH", f"/v1/triggers/{made['id']}", {"peer": "private"})
    assert "group_peer_id" not in private


async def test_the_url_alone_may_be_the_proof(scene: Scene) -> None:
    made = await scene.trigger(auth="url")
    assert (made["auth"], "token" in made["body_example"]) == ({"scheme": "url"}, False)


async def test_the_secret_of_a_url_is_shown_once_and_kept_as_a_hash(scene: Scene) -> None:
    made = await scene.trigger(auth="url")
    address, _, secret = made["url"].rpartition(".")
    assert (address, len(secret)) == (f"https://hooks.example.com/v1/run/{made['id']}", 43)
    shown = await scene.project.get(f"/v1/triggers/{made['id']}")
    assert (shown["url"], shown["auth"]) == (f"{address}.<the secret>", {"scheme": "url"})
    stored = await scene.project.registry.database.pool.fetchval(
        "SELECT data::text FROM entity WHERE id = $1", made["id"]
    )
    assert (digest(secret) in stored, secret in stored) == (True, False)


async def test_a_triggers_url_is_made_anew(scene: Scene) -> None:
    made = await scene.trigger(auth="url")
    path = f"/v1/triggers/{made['id']}"
    other = await scene.project.call("PATCH", path, {"auth": "url"})
    assert other["url"] != made["url"]
    assert other["url"].startswith(f"https://hooks.example.com/v1/run/{made['id']}.")
    unchanged = await scene.project.call("PATCH", path, {"peer": "private"})
    assert unchanged["url"].endswith("<the secret>")


async def test_a_trigger_from_before_urls_had_a_secret_says_how_to_get_one(scene: Scene) -> None:
    made = await scene.trigger(auth="url")
    pool = scene.project.registry.database.pool
    await pool.execute("UPDATE entity SET data = data #- '{auth,url_sha256}' WHERE id = $1", made["id"])
    old = await scene.project.get(f"/v1/triggers/{made['id']}")
    assert old["url"] == f"https://hooks.example.com/v1/run/{made['id']}"
    assert 'PATCH {"auth": "url"}' in old["hint"]


async def test_a_flow_may_be_named_by_its_slug(scene: Scene) -> None:
    made = await scene.trigger(flow="greeting", auth="url")
    assert made["flow_id"] == scene.flow


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"entry": "start"}, "#/entry"),
        ({"entry": "nothing"}, "#/entry"),
        ({"flow": "nothing"}, "#/flow"),
        ({"channel_id": "nothing"}, "#/channel_id"),
        ({"new_token": None}, "#/"),
        ({"token_id": "a", "new_token": {"name": "b"}}, "#/"),
        ({"auth": "url", "new_token": {"name": "b"}}, "#/"),
        ({"peer": {"group": "not a peer"}}, "#/peer/Group/group"),
    ],
)
async def test_a_wrong_trigger_is_refused(scene: Scene, fields: dict[str, Any], pointer: str) -> None:
    problem = await scene.trigger(**({"new_token": {"name": "shop"}} | fields), expect=422)
    assert pointer in {error["pointer"] for error in problem["errors"]}


async def test_the_channel_is_chosen_when_there_are_several(scene: Scene) -> None:
    second = await scene.project.http_channel(scene.bot)
    problem = await scene.trigger(auth="url", expect=422)
    assert problem["errors"][0]["pointer"] == "#/channel_id"
    assert (await scene.trigger(auth="url", channel_id=second))["channel_id"] == second


async def test_a_flow_and_a_channel_with_triggers_are_not_deleted(scene: Scene) -> None:
    made = await scene.trigger(auth="url")
    for path in (f"/v1/flows/{scene.flow}", f"/v1/channels/{scene.channel}"):
        problem = await scene.project.call("DELETE", path, expect=409)
        assert [user["id"] for user in problem["used_by"]] == [made["id"]]


async def test_triggers_are_listed_by_flow(scene: Scene) -> None:
    made = await scene.trigger(auth="url")
    listed = await scene.project.get(f"/v1/triggers?flow={scene.flow}")
    assert [one["id"] for one in listed["items"]] == [made["id"]]
    assert (await scene.project.get("/v1/triggers?flow=other"))["items"] == []
