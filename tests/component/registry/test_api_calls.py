"""APIs that flows call: their test button, and the secrets that they use."""

from __future__ import annotations

from typing import Any

import pytest

from support.registry_api import Project, answered

pytestmark = pytest.mark.asyncio(loop_scope="module")
SEATS = {"name": "seats-left", "method": "GET", "url": "https://api.example.com/seats", "params": {"hall": "1"}}


async def test_a_call_is_defined_and_its_name_is_unique(project: Project) -> None:
    made = await project.post("/v1/api-calls", SEATS)
    assert (made["name"], made["method"], made["timeout_seconds"], made["response"]) == (
        "seats-left", "GET", 10, "envelope"
    )  # fmt: skip
    problem = await project.post("/v1/api-calls", SEATS, expect=409)
    assert "'seats-left'" in problem["detail"]
    renamed = await project.call("PATCH", f"/v1/api-calls/{made['id']}", {"name": "seats", "timeout_seconds": 3})
    assert (renamed["name"], renamed["timeout_seconds"], renamed["params"]) == ("seats", 3, {"hall": "[hidden]"})
    await project.post("/v1/api-calls", SEATS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "PUT"},
        {"url": "https://{{ user.site }}/seats"},
        {"url": "https://user:pass@api.example.com/"},
        {"url": "file:///etc/passwd"},
        {"timeout_seconds": 31},
        {"model": "small"},
        {"max_tokens": 5},
        {"parameters": {"day": "date"}},
        {"parameters": {"day of week": "string"}},
        {"name": "no spaces"},
        {"headers": {"Authorization": "Bearer planted"}},
        {"headers": {"X-Y": "a\r\nb"}},
        {"auth": "planted"},
        {"auth": "secret.nothing"},
        {"url": "https://api.example.com/a/%2e%2e/b"},
        {"headers": {"X-Y": "[hidden]"}},
        {"url": "https://api.example.com/{{ user.site }}"},
        {"url": "https://api.example.com/seats?day={{ user.day }}"},
        {"params": {"hall": "{{ memory.hall }}"}},
        {"params": {"halls": [{"id": "{% if user.vip %}1{% endif %}"}]}},
        {"headers": {"X-User": "{{ user.id }}"}},
    ],
)
async def test_a_wrong_call_is_refused(project: Project, wrong: dict[str, Any]) -> None:
    await project.post("/v1/api-calls", SEATS | wrong, expect=422)


MODEL = {"kind": "model", "name": "main", "url": "https://llm.example.com/v1/chat/completions", "model": "small"}


async def test_a_model_is_an_api_call_of_its_own_kind(project: Project) -> None:
    made = await project.post("/v1/api-calls", MODEL | {"params": {"temperature": 0}, "timeout_seconds": 60})
    shown = {name: made[name] for name in ("kind", "method", "model", "max_tokens", "turn_tokens", "params")}
    assert shown == {
        "kind": "model", "method": "POST", "model": "small", "max_tokens": 1024, "turn_tokens": 50_000,
        "params": {"temperature": "[hidden]"},
    }  # fmt: skip
    path = f"/v1/api-calls/{made['id']}"
    assert (await project.call("PATCH", path, {"max_tokens": 200}))["max_tokens"] == 200
    wrong = (
        {"parameters": {"day": "string"}},
        {"model": None},
        {"method": "GET"},
        {"response": "raw"},
        {"kind": "http"},
    )
    for patch in wrong:
        [error] = (await project.call("PATCH", path, patch, expect=422))["errors"]
        assert error["pointer"] == f"#/{next(iter(patch))}"
    await project.post("/v1/api-calls", {**MODEL, "name": "other", "model": None}, expect=422)
    tool = await project.post("/v1/api-calls", SEATS | {"parameters": {"day": "string!"}, "description": "Seats."})
    assert (tool["kind"], tool["parameters"], "model" in tool) == ("http", {"day": "string!"}, False)


async def test_a_model_is_tested_with_a_question(project: Project) -> None:
    dispatcher = project.registry.dispatcher
    dispatcher.reply = lambda action: answered(request={}, status=200, took_ms=12, body={"text": "Hello."})
    made = await project.post("/v1/api-calls", MODEL)
    result = await project.post(f"/v1/api-calls/{made['id']}/test", {"params": {"input": "Hi"}}, expect=200)
    assert (result["body"], result["problems"]) == ({"text": "Hello."}, [])
    action = dispatcher.actions[-1]
    assert (action.kind, action.api_call_id, action.messages[0].text) == ("ask_model", made["id"], "Hi")


async def test_the_test_button_asks_the_dispatcher(project: Project) -> None:
    dispatcher = project.registry.dispatcher
    dispatcher.reply = lambda action: answered(
        request={"method": "GET"}, status=200, took_ms=12, body={"responses": ["3"]}
    )
    made = await project.post("/v1/api-calls", SEATS)
    result = await project.post(f"/v1/api-calls/{made['id']}/test", {"params": {"hall": "2"}}, expect=200)
    assert result == {
        "request": {"method": "GET"}, "status": 200, "took_ms": 12, "body": {"responses": ["3"]}, "problems": []
    }  # fmt: skip
    dispatcher.reply = lambda action: answered(request={}, status=200, took_ms=12, body={"id": 7})
    judged = await project.post(f"/v1/api-calls/{made['id']}/test", {"params": {"hall": "2"}}, expect=200)
    assert [problem[:22] for problem in judged["problems"]] == ["the answer has none of"]
    await project.call("PATCH", f"/v1/api-calls/{made['id']}", {"response": "raw"})
    judged = await project.post(f"/v1/api-calls/{made['id']}/test", {"params": {"hall": "2"}}, expect=200)
    assert judged["problems"] == []
    action = dispatcher.actions[-1]
    assert (action.kind, action.api_call_id, action.params) == ("call_api", made["id"], {"hall": "2"})
    assert action.reply_to.request_id


async def test_a_secret_is_written_and_never_read(project: Project) -> None:
    made = await project.post("/v1/secrets", {"name": "crm", "value": "planted-value"})
    assert "planted-value" not in str(made)
    assert made.keys().isdisjoint({"value"})
    assert "value" not in await project.get(f"/v1/secrets/{made['id']}")
    await project.post("/v1/secrets", {"name": "crm", "value": "x"}, expect=409)
    await project.call("PATCH", f"/v1/secrets/{made['id']}", {"value": "other"})


async def test_a_secret_in_use_is_not_deleted(project: Project) -> None:
    secret = await project.post("/v1/secrets", {"name": "crm", "value": "planted-value"})
    call = await project.post("/v1/api-calls", SEATS | {"auth": "secret.crm"})
    assert call["auth"] == "secret.crm"
    problem = await project.call("DELETE", f"/v1/secrets/{secret['id']}", expect=409)
    assert [user["name"] for user in problem["used_by"]] == ["seats-left"]
    await project.call("PATCH", f"/v1/api-calls/{call['id']}", {"auth": None})
    await project.call("DELETE", f"/v1/secrets/{secret['id']}", expect=204)


async def test_a_secret_goes_where_it_was_first_named_for(project: Project) -> None:
    """Who may define API calls, but does not know the secret, does not have it sent to himself."""
    secret = await project.post("/v1/secrets", {"name": "crm", "value": "planted-value"})
    call = await project.post("/v1/api-calls", SEATS | {"auth": "secret.crm"})
    evil = {"url": "https://evil.example/", "params": {}, "auth": "secret.crm"}
    problem = await project.call("PATCH", f"/v1/api-calls/{call['id']}", evil, expect=422)
    assert (problem["errors"][0]["pointer"], "https://api.example.com" in problem["detail"]) == ("#/auth", True)
    await project.post("/v1/api-calls", SEATS | {"name": "mine"} | evil, expect=422)
    assert (await project.get(f"/v1/secrets/{secret['id']}"))["hosts"] == ["https://api.example.com"]
    hosts = {"value": "planted-value", "hosts": ["https://api.example.com/", "https://second.example/x"]}
    await project.call("PATCH", f"/v1/secrets/{secret['id']}", hosts)
    moved = {"url": "https://second.example/seats", "params": {}}
    await project.call("PATCH", f"/v1/api-calls/{call['id']}", moved)
    await project.call("PATCH", f"/v1/secrets/{secret['id']}", {"hosts": ["https://evil.example"]}, expect=422)


async def test_a_secret_of_an_earlier_release_goes_where_its_calls_go(project: Project) -> None:
    secret = await project.post("/v1/secrets", {"name": "crm", "value": "planted-value"})
    call = await project.post("/v1/api-calls", SEATS | {"auth": "secret.crm"})
    unbound = "UPDATE entity SET data = data - 'hosts' WHERE id = $1"
    await project.registry.database.pool.execute(unbound, secret["id"])
    evil = {"url": "https://evil.example/", "params": {}}
    await project.call("PATCH", f"/v1/api-calls/{call['id']}", evil, expect=422)
    await project.call("PATCH", f"/v1/api-calls/{call['id']}", {"timeout_seconds": 3})
    assert (await project.get(f"/v1/secrets/{secret['id']}"))["hosts"] == ["https://api.example.com"]


@pytest.mark.parametrize(
    ("place", "pointer"),
    [
        ({"headers": {"X-Key": "secret.crm"}}, "#/headers"),
        ({"params": {"key": "secret.crm"}}, "#/params"),
        ({"url": "https://api.example.com/?key=secret.crm"}, "#/url"),
    ],
)
async def test_any_value_may_refer_to_a_secret(project: Project, place: dict[str, Any], pointer: str) -> None:
    missing = await project.post("/v1/api-calls", SEATS | place, expect=422)
    assert missing["errors"][0]["pointer"] == pointer
    secret = await project.post("/v1/secrets", {"name": "crm", "value": "planted-value"})
    call = await project.post("/v1/api-calls", SEATS | place)
    (field,) = place
    assert call[field] == place[field]
    await project.call("DELETE", f"/v1/secrets/{secret['id']}", expect=409)
    hook = {"url": "https://evil.example/", "events": ["*"], "headers": {"X-Key": "secret.crm"}}
    refused = await project.post("/v1/endpoints", hook, expect=422)
    assert refused["errors"][0]["pointer"] == "#/headers"


@pytest.mark.parametrize(("method", "left"), [("DELETE", None), ("PATCH", {"auth": None})])
async def test_a_secret_of_an_earlier_release_stays_with_the_host_of_a_call_that_names_it_no_more(
    project: Project, method: str, left: dict[str, Any] | None
) -> None:
    secret = await project.post("/v1/secrets", {"name": "crm", "value": "planted-value"})
    call = await project.post("/v1/api-calls", SEATS | {"auth": "secret.crm"})
    unbound = "UPDATE entity SET data = data - 'hosts' WHERE id = $1"
    await project.registry.database.pool.execute(unbound, secret["id"])
    await project.call(method, f"/v1/api-calls/{call['id']}", left, expect=204 if method == "DELETE" else 200)
    evil = {"name": "mine", "url": "https://evil.example/", "params": {}, "auth": "secret.crm"}
    await project.post("/v1/api-calls", SEATS | evil, expect=422)
    assert (await project.get(f"/v1/secrets/{secret['id']}"))["hosts"] == ["https://api.example.com"]
