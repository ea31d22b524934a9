"""What holds for entities of every kind."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from registry.writing import idempotency
from servicekit.web.problems import ProblemError
from support.registry_api import Project, RegistryUnderTest, new_project

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_entity_is_made_shown_changed_and_deleted(project: Project) -> None:
    made = await project.post("/v1/bots", {"name": "Shop bot", "variables": {"city": "Riga"}})
    assert (made["name"], made["variables"], made["version"]) == ("Shop bot", {"city": "Riga"}, 1)
    changed = await project.call("PATCH", f"/v1/bots/{made['id']}", {"name": "Other"})
    assert (changed["name"], changed["variables"], changed["version"]) == ("Other", {"city": "Riga"}, 2)
    assert (await project.get(f"/v1/bots/{made['id']}"))["name"] == "Other"
    await project.call("DELETE", f"/v1/bots/{made['id']}", expect=204)
    await project.get(f"/v1/bots/{made['id']}", expect=404)


async def test_a_bots_opt_out_words_are_those_it_is_given_or_the_usual_ones_and_off_by_default(
    project: Project,
) -> None:
    made = await project.post("/v1/bots", {"name": "Shop bot"})
    path = f"/v1/bots/{made['id']}"
    assert "opt_out" not in made
    usual = (await project.call("PATCH", path, {"opt_out": {}}))["opt_out"]
    assert (usual["words"], usual["back"]) == (["stop", "unsubscribe"], ["subscribe"])
    own = {"words": ["basta", "stop"], "text": "Bye.", "back": ["again"], "back_text": "Hello."}
    assert (await project.call("PATCH", path, {"opt_out": own}))["opt_out"] == own
    twice, no_way_back = {"words": ["caf\u00e9", "cafe\u0301"]}, {"words": ["stop", "/Start"]}
    both = {"words": ["again"], "back": ["Again"]}
    for wrong in ({"words": []}, {"words": ["Stop", "stop"]}, both, {"text": ""}, twice, no_way_back):
        await project.call("PATCH", path, {"opt_out": wrong}, expect=422)
    assert "opt_out" not in await project.call("PATCH", path, {"opt_out": None})


async def test_lists_are_paged_in_the_order_of_making(project: Project) -> None:
    made = [(await project.post("/v1/bots", {"name": f"bot {number}"}))["id"] for number in range(5)]
    found, cursor = [], None
    while True:
        page = await project.get("/v1/bots?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == made


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=nonsense"])
async def test_a_wrong_page_is_refused(project: Project, query: str) -> None:
    assert (await project.get(f"/v1/bots?{query}", expect=422))["status"] == 422


async def test_another_projects_entity_is_not_there(registry: RegistryUnderTest, project: Project) -> None:
    bot = await project.bot()
    other = await new_project(registry, "Other")
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        await other.call(method, f"/v1/bots/{bot}", body, expect=404)
    await other.post("/v1/channels", {"bot": bot, "type": "http"}, expect=422)
    assert (await other.get("/v1/bots"))["items"] == []


async def test_a_stale_update_is_refused_with_the_current_etag(project: Project) -> None:
    bot = await project.bot()
    await project.call("PATCH", f"/v1/bots/{bot}", {"name": "Second"}, headers={"if-match": '"1"'})
    answer = await project.send("PATCH", f"/v1/bots/{bot}", {"name": "Third"}, headers={"if-match": '"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (412, '"2"')
    assert (await project.get(f"/v1/bots/{bot}"))["name"] == "Second"


async def test_wrong_fields_are_named_by_pointer(project: Project) -> None:
    problem = await project.post("/v1/tokens", {"name": "x", "scopes": ["data:read", "fly"], "colour": 1}, expect=422)
    assert {error["pointer"] for error in problem["errors"]} == {"#/scopes/1", "#/colour"}
    assert problem["type"].endswith("/invalid")


async def test_what_is_not_json_is_refused_as_such(project: Project) -> None:
    headers = {"content-type": "application/json"}
    answer = await project.client.post(f"/v1/bots?project={project.id}", content=b"{", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": "a", "variables": ' + b'{"a": ' * 100 + b"1" + b"}" * 101, 400),
        (rb'{"name": "a", "variables": {"half": "\ud800"}}', 400),
        (rb'{"name": "a", "variables": {"nul": "\u0000"}}', 422),
        (rb'{"name": "\u0000"}', 422),
        (b'{"name": NaN}', 400),
        (b'{"name": "' + b"x" * (1024 * 1024) + b'"}', 413),
    ],
    ids=["deep", "half a character", "nul within", "nul", "nan", "long"],
)
async def test_what_cannot_be_kept_is_refused(project: Project, body: bytes, status: int) -> None:
    headers = {"content-type": "application/json"}
    answer = await project.client.post(f"/v1/bots?project={project.id}", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize("path", ["/v1/bots/%00", "/v1/bots?name=%00", "/v1/bots/../x", "/v1/bots/" + "x" * 5000])
async def test_odd_paths_are_refused_not_failed(project: Project, path: str) -> None:
    assert (await project.send("GET", path)).status_code in (404, 422)


async def test_an_entity_that_would_hold_up_the_topic_is_refused(project: Project) -> None:
    body = {"name": "Big", "variables": {"text": "x" * (256 * 1024)}}
    problem = await project.post("/v1/bots", body, expect=422)
    assert problem["type"].endswith("/entity-too-large")
    assert (await project.get("/v1/bots"))["items"] == []


async def test_what_others_use_is_not_deleted_and_they_are_named(project: Project) -> None:
    bot = await project.bot()
    channel = await project.http_channel(bot)
    problem = await project.call("DELETE", f"/v1/bots/{bot}", expect=409)
    assert [(user["kind"], user["id"]) for user in problem["used_by"]] == [("channel", channel)]
    await project.call("DELETE", f"/v1/channels/{channel}", expect=204)
    await project.call("DELETE", f"/v1/bots/{bot}", expect=204)


async def test_an_idempotency_keys_answer_is_for_the_token_that_made_it(
    registry: RegistryUnderTest, project: Project
) -> None:
    body, headers = {"name": "Once", "scopes": ["data:read"]}, {"idempotency-key": "mine"}
    made = await project.post("/v1/tokens", body, headers=headers)
    other = await project.post("/v1/tokens", {"name": "other", "scopes": ["admin"]})
    async with registry.as_token(other["token"]) as client:
        repeated = await client.post("/v1/tokens", json=body, headers=headers)
    assert (repeated.status_code, "another token" in repeated.json()["detail"]) == (422, True)
    assert made["token"] not in repeated.text
    assert (await project.post("/v1/tokens", body, headers=headers))["token"] == made["token"]


async def test_an_answer_of_which_nobody_knows_whose_it_is_is_for_nobody(
    registry: RegistryUnderTest, project: Project
) -> None:
    """As releases before kept them."""
    ring, pool = registry.site.keys, registry.database.pool
    key = idempotency.key_of(project.id, "/v1/tokens", "before", b"{}", "token-1")
    async with pool.acquire() as connection, connection.transaction():
        plain = orjson.dumps({"status": 201, "body": {"token": "swh_once"}, "etag": None, "published": {}})
        sealed = ring.seal(plain, project=key.project, entity=key.place, field="answer").encode().decode()
        await connection.execute(idempotency.KEEP, key.project, key.path, key.key, key.body_sha256, sealed)
        with pytest.raises(ProblemError) as refused:
            await idempotency.recall(connection, key, ring)
    assert refused.value.type_slug == "idempotency-key-reused"


async def test_an_idempotency_key_makes_one_entity_and_one_answer(project: Project) -> None:
    body, headers = {"name": "Once", "scopes": ["data:read"]}, {"idempotency-key": "k1"}
    first = await project.post("/v1/tokens", body, headers=headers)
    again = await project.post("/v1/tokens", body, headers=headers)
    assert again == first
    assert len((await project.get("/v1/tokens"))["items"]) == 1
    other = await project.post("/v1/tokens", body | {"name": "Other"}, headers=headers, expect=422)
    assert other["type"].endswith("/idempotency-key-reused")


async def test_a_refused_request_does_not_use_up_its_key(project: Project) -> None:
    headers = {"idempotency-key": "k2"}
    await project.post("/v1/channels", {"bot": "nobody", "type": "http"}, headers=headers, expect=422)
    await project.post("/v1/bots", {"name": "Fine"}, headers=headers)


async def test_a_key_whose_first_request_runs_is_refused(project: Project) -> None:
    body, headers = {"name": "Twice"}, {"idempotency-key": "k3"}
    answers = await asyncio.gather(*(project.send("POST", "/v1/bots", body, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1


async def test_the_operator_has_to_name_a_project(registry: RegistryUnderTest) -> None:
    answer = await registry.client.post("/v1/bots", json={"name": "Whose?"})
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/project-needed")


async def test_a_project_that_is_not_there_is_404(registry: RegistryUnderTest) -> None:
    await Project(registry, "nobody").post("/v1/bots", {"name": "Whose?"}, expect=404)


async def test_no_token_is_401_and_a_missing_scope_403_naming_it(registry: RegistryUnderTest, project: Project) -> None:
    async with registry.as_token("swh_wrong") as client:
        answer = await client.get("/v1/bots")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    token = (await project.post("/v1/tokens", {"name": "reader", "scopes": ["data:read"]}))["token"]
    async with registry.as_token(token) as client:
        refused = await client.get("/v1/bots")
    assert (refused.status_code, refused.json()["scope"]) == (403, "admin")


async def test_an_admin_token_works_in_its_project_only(registry: RegistryUnderTest, project: Project) -> None:
    token = (await project.post("/v1/tokens", {"name": "admin", "scopes": ["admin"]}))["token"]
    async with registry.as_token(token) as client:
        made = (await client.post("/v1/bots", json={"name": "Mine"})).json()
        projects = (await client.get("/v1/projects")).json()["items"]
        assert (await client.post("/v1/projects", json={"name": "x"})).status_code == 403
        assert (await client.delete(f"/v1/projects/{project.id}")).status_code == 403
    assert made["project_id"] == project.id
    assert [one["id"] for one in projects] == [project.id]


async def test_a_method_that_a_kind_does_not_have_is_405(project: Project) -> None:
    await project.call("PATCH", "/v1/hook-urls/any", {}, expect=405)


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_that_is_empty_or_too_long_is_400(project: Project, key: str) -> None:
    refused = await project.post("/v1/bots", {"name": "B"}, headers={"idempotency-key": key}, expect=400)
    assert refused["type"].endswith("/bad-idempotency-key")


@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_is_json_whatever_it_is_called(project: Project, type: str) -> None:
    made = await project.post("/v1/bots", {"name": "B"}, headers={"content-type": type})
    assert made["name"] == "B"


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999-23:59", "2999-01-01T00:00:00"])
async def test_a_time_that_utc_cannot_hold_is_refused_by_its_field(project: Project, moment: str) -> None:
    body = {"name": "T", "scopes": ["data:read"], "expires_at": moment}
    refused = await project.post("/v1/tokens", body, expect=422)
    assert [error["pointer"] for error in refused["errors"]] == ["#/expires_at"]


async def test_text_that_no_database_holds_is_refused_by_its_parameter(project: Project) -> None:
    refused = await project.call("GET", "/v1/bots?cursor=%00", expect=422)
    assert [error["pointer"] for error in refused["errors"]] == ["query/cursor"]


@pytest.mark.parametrize("path", ["/v1/bots/", "/docs/", "/openapi.json/"])
async def test_a_slash_too_many_is_not_found_and_leads_nowhere(project: Project, path: str) -> None:
    refused = await project.call("GET", path, expect=404)
    assert refused["detail"]
