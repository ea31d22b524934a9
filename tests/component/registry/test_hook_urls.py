"""Generated URLs: made, listed, revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.values import expired_urls
from support.registry_api import Project, RegistryUnderTest, new_project

pytestmark = pytest.mark.asyncio(loop_scope="module")
PREFIX = "https://hooks.example.com/v1/w/"


def opened(project: Project, url: str) -> dict[str, Any]:
    link = project.registry.site.links.open_link(url.removeprefix(PREFIX), "w")
    assert link is not None
    assert link.project == project.id
    return link.payload


async def test_a_url_carries_all_that_it_needs_encrypted(project: Project) -> None:
    bot = await project.bot()
    body = {
        "bot": bot,
        "command": "/paid",
        "content": {"order": "planted-content"},
        "person": {"external_id": "p-1"},
        "redirect_to": "https://shop.example/thanks",
    }
    made = await project.post("/v1/hook-urls", body)
    assert "planted-content" not in made["url"]
    assert opened(project, made["url"]) == {
        "link_id": made["id"], "bot_id": bot, "command": "/paid", "content": {"order": "planted-content"},
        "person": {"external_id": "p-1"}, "redirect_to": "https://shop.example/thanks",
        "single_use": False, "confirm": False, "registered": True,
    }  # fmt: skip
    assert (await project.get(f"/v1/hook-urls/{made['id']}"))["url"] == made["url"]


async def test_user_id_is_another_name_for_the_contact(project: Project) -> None:
    made = await project.post("/v1/hook-urls", {"bot": await project.bot(), "command": "/x", "user_id": "c-1"})
    assert opened(project, made["url"])["person"] == {"contact_id": "c-1"}


async def test_a_person_is_named_by_a_channel_of_the_bot(registry: RegistryUnderTest, project: Project) -> None:
    bot, other = await project.bot(), await project.bot()
    body = {"bot": bot, "command": "/x", "person": {"peer_id": "5"}}
    strangers = await new_project(registry, "Other")
    foreign = [await project.http_channel(other), await strangers.http_channel(await strangers.bot()), "nothing"]
    for channel in foreign:
        problem = await project.post(
            "/v1/hook-urls", body | {"person": {"peer_id": "5", "channel_id": channel}}, expect=422
        )
        assert problem["errors"][0]["pointer"] == "#/person/channel_id"
    own = {"peer_id": "5", "channel_id": await project.http_channel(bot)}
    assert (await project.post("/v1/hook-urls", body | {"person": own}))["person"] == own


async def test_a_single_use_url_has_an_end(project: Project) -> None:
    body = {"bot": await project.bot(), "command": "/x", "single_use": True}
    await project.post("/v1/hook-urls", body, expect=422)
    made = await project.post("/v1/hook-urls", body | {"expires_at": "2999-01-01T01:00:00+01:00"})
    assert made["expires_at"] == "2999-01-01T00:00:00.000Z"
    assert opened(project, made["url"])["expires_at"] == made["expires_at"]


@pytest.mark.parametrize(
    "wrong", [{"redirect_to": "javascript:alert(1)"}, {"person": {}}, {"bot": "nobody"}, {"expires_at": "2999-01-01"}]
)
async def test_a_wrong_url_is_refused(project: Project, wrong: dict[str, Any]) -> None:
    await project.post("/v1/hook-urls", {"bot": await project.bot(), "command": "/x"} | wrong, expect=422)


async def test_a_deleted_url_is_gone_from_the_topic_too(project: Project) -> None:
    made = await project.post("/v1/hook-urls", {"bot": await project.bot(), "command": "/x"})
    await project.call("DELETE", f"/v1/hook-urls/{made['id']}", expect=204)
    assert project.registry.tail.last[f"hook_url/{made['id']}"] == (1, 2)


async def test_a_url_whose_time_has_been_over_for_a_day_is_forgotten(project: Project) -> None:
    bot = await project.bot()
    given = {"bot": bot, "command": "/x", "expires_at": "2099-01-01T00:00:00Z"}
    over, just, lasting = [await project.post("/v1/hook-urls", given) for _ in range(3)]
    endless = await project.post("/v1/hook-urls", {"bot": bot, "command": "/x"})
    pool = project.registry.database.pool
    for made, age in ((over, timedelta(hours=25)), (just, timedelta(hours=1))):
        ended = (datetime.now(UTC) - age).isoformat()
        await pool.execute(
            "UPDATE entity SET data = data || jsonb_build_object('expires_at', $2::text) WHERE id = $1",
            made["id"],
            ended,
        )
    async with pool.acquire() as connection:
        await expired_urls.end_over(connection)
    left = {one["id"] for one in (await project.get(f"/v1/hook-urls?bot={bot}"))["items"]}
    assert left == {just["id"], lasting["id"], endless["id"]}
    await project.call("DELETE", f"/v1/hook-urls/{over['id']}", expect=404)
