"""API calls of flows, test calls, and calls of a channel's platform."""

from __future__ import annotations

from typing import Any

import orjson

from contracts.actions import CallApi
from contracts.cloudevents import headers as ce_headers
from contracts.cloudevents import now_text
from devstack.ports import free_port
from servicekit.credentials.sealing import KeyRing
from support.dispatcher import BOT, BOT_TOKEN, CHANNEL, KEK, PROJECT, RunningDispatcher, api_call, channel, secret
from support.fake_telegram import FakeTelegram
from support.receiver import Receiver
from support.waiting import eventually


async def call(dispatcher: RunningDispatcher, **params: Any) -> str:
    return await dispatcher.act(
        "call_api", api_call_id="api-1", params=params, wait="w1", channel_id=CHANNEL, peer_id="p1"
    )


async def result(dispatcher: RunningDispatcher) -> dict[str, Any]:
    [body] = await eventually(lambda: dispatcher.bodies("inbound"))
    return body


async def test_a_post_carries_its_parameters_as_json_and_the_answer_goes_back(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(
        api_call("api-1", f"{sink.url}/seats", params={"hall": "A"}, auth_secret="crm"),
        secret("crm", "Bearer s3cr3t-value"),
    )
    sink.answer("/seats", 200, {"memory": {"seats": 4}})
    await dispatcher.start()
    id = await call(dispatcher, lecture="3")
    body = await result(dispatcher)
    assert (body["kind"], body["wait"], body["outcome"]) == ("call_result", "w1", "ok")
    assert body["body"] == {"memory": {"seats": 4}}
    [request] = sink.requests
    assert request.json() == {"hall": "A", "lecture": "3"}
    assert (request.headers["idempotency-key"], request.headers["authorization"]) == (id, "Bearer s3cr3t-value")
    [attempt] = await dispatcher.pool.fetch("SELECT request FROM attempt")
    assert b"s3cr3t-value" not in attempt["request"]


async def test_a_get_carries_its_parameters_in_the_query(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(api_call("api-1", f"{sink.url}/seats?v=2", method="GET"))
    sink.answer("/seats", 200, {"memory": {}})
    await dispatcher.start()
    await call(dispatcher, q="ä b")
    assert (await result(dispatcher))["outcome"] == "ok"
    assert sink.requests[0].query == {"v": "2", "q": "ä b"}


async def test_only_an_idempotent_call_is_tried_again(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(api_call("api-1", f"{sink.url}/x"))
    sink.answer("/x", 500, {"why": "broken"})
    await dispatcher.start()
    await call(dispatcher)
    body = await result(dispatcher)
    assert (body["outcome"], body["status"], body["error"]["type"]) == ("error", 500, "http-500")
    assert len(sink.requests) == 1


async def test_an_idempotent_call_is_tried_again_under_the_same_key(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(api_call("api-1", f"{sink.url}/x", idempotent=True))
    sink.answer("/x", 200, {"memory": {}})
    sink.fail_next("/x", 503)
    await dispatcher.start()
    await call(dispatcher)
    assert (await result(dispatcher))["outcome"] == "ok"
    assert len({request.headers["idempotency-key"] for request in sink.requests}) == 1


async def test_an_answer_that_is_not_json_is_an_error(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(api_call("api-1", f"{sink.url}/x"))
    await dispatcher.start()
    await call(dispatcher)
    body = await result(dispatcher)
    assert (body["outcome"], body["error"]["type"]) == ("error", "not-json")


async def test_a_call_that_takes_too_long_is_a_timeout(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(api_call("api-1", f"{sink.url}/x", timeout_seconds=1))
    sink.delay("/x", 5)
    await dispatcher.start()
    await call(dispatcher)
    assert (await result(dispatcher))["outcome"] == "timeout"


async def request(dispatcher: RunningDispatcher, url: str, **fields: Any) -> str:
    given = {"method": "GET", "url": url, "timeout_seconds": 1, "wait": "w1"}
    return await dispatcher.act("http_request", **(given | fields))


async def test_a_request_that_a_flow_describes_is_made_and_its_answer_goes_back(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(secret("crm", "Bearer s3cr3t-value"))
    sink.answer("/members", 200, {"data": {"is_member": True}})
    sink.fail_next("/members", 503)
    await dispatcher.start()
    fields = {
        "method": "PUT",
        "secrets": {"Authorization": "crm"},
        "encoding": "json",
        "body": {"n": 1},
        "query": {"q": "ä b"},
    }
    id = await request(dispatcher, f"{sink.url}/members?v=2", answer=True, idempotent=True, **fields)
    body = await result(dispatcher)
    assert (body["kind"], body["wait"], body["outcome"], body["action_id"]) == ("call_result", "w1", "ok", id)
    assert body["body"] == {"data": {"is_member": True}}
    for made in sink.requests:
        assert (made.method, made.query, made.json()) == ("PUT", {"v": "2", "q": "ä b"}, {"n": 1})
        assert (made.headers["authorization"], made.headers["idempotency-key"]) == ("Bearer s3cr3t-value", id)
    assert len(sink.requests) == 2
    for attempt in await dispatcher.pool.fetch("SELECT request FROM attempt"):
        assert b"s3cr3t-value" not in attempt["request"]


async def test_requests_that_come_to_nothing_are_answered_as_what_they_came_to(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    sink.delay("/slow", 5)
    sink.answer("/broken", 500, {})
    await dispatcher.start()
    for path, fields in (("/slow", {}), ("/broken", {}), ("/ok", {"secrets": {"Authorization": "gone"}})):
        await request(dispatcher, sink.url + path, wait=path, **fields)
    bodies = await eventually(lambda: _when(dispatcher, 3))
    outcomes = {body["wait"]: (body["outcome"], body["error"]["type"]) for body in bodies}
    assert outcomes == {
        "/slow": ("timeout", "timeout"),
        "/broken": ("error", "http-500"),
        "/ok": ("error", "no-secret"),
    }
    assert len([made for made in sink.requests if made.path == "/broken"]) == 1


async def _when(dispatcher: RunningDispatcher, count: int) -> list[dict[str, Any]]:
    found = await dispatcher.bodies("inbound")
    return found if len(found) == count else []


async def test_a_test_call_is_answered_to_who_asked(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(api_call("api-1", f"{sink.url}/x"))
    sink.answer("/x", 200, {"responses": ["hi"]})
    await dispatcher.start()
    action = CallApi(
        id="0198f0c2-6f5e-7a51-8a2e-0d8f8c9b7001", project_id=PROJECT, bot_id="-", conversation="-", day=now_text()[:10],
        created_at=now_text(), api_call_id="api-1", wait="-", channel_id="-", peer_id="-", params={"a": 1},
        reply_to={"instance": "registry-1", "partition": 2, "request_id": "r1"},
    )  # fmt: skip
    headers = ce_headers(id=action.id, type="action.call_api", source="registry", time=now_text(), project=PROJECT)
    await dispatcher.raw("actions", action.encode(), action.id, headers)
    [record] = await eventually(lambda: dispatcher.out("replies"))
    [reply] = await dispatcher.bodies("replies")
    assert (record.partition, reply["instance"], reply["request_id"]) == (2, "registry-1", "r1")
    assert (reply["status"], reply["body"], reply["problems"]) == (200, {"responses": ["hi"]}, [])
    assert reply["request"]["url"] == f"{sink.url}/x"
    assert await dispatcher.bodies("inbound") == []


async def test_a_test_call_that_reaches_nobody_is_answered_after_one_attempt(dispatcher: RunningDispatcher) -> None:
    await dispatcher.registry.put(api_call("api-1", f"http://127.0.0.1:{free_port()}/x"))
    await dispatcher.start()
    reply_to = {"instance": "registry-1", "partition": 0, "request_id": "r1"}
    await dispatcher.act("call_api", api_call_id="api-1", wait="-", channel_id="-", peer_id="-", reply_to=reply_to)
    [reply] = await eventually(lambda: dispatcher.bodies("replies"))
    assert ("status" in reply, len(reply["problems"])) == (False, 1)
    rows = await dispatcher.pool.fetch("SELECT state, attempts FROM delivery")
    assert [tuple(row) for row in rows] == [("exhausted", 1)]


async def test_a_channel_call_is_answered_in_the_platforms_words(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("getMe", 401, "Unauthorized")
    await dispatcher.start()
    reply_to = {"instance": "registry-1", "partition": 0, "request_id": "r1"}
    await dispatcher.act("channel_call", channel_id=CHANNEL, method="getMe", reply_to=reply_to)
    [reply] = await eventually(lambda: dispatcher.bodies("replies"))
    assert reply["status"] == 401
    assert reply["problems"] == ["Unauthorized"]
    assert BOT == "bot-1"
    assert "104117782:" not in str(reply)


async def test_a_channel_call_is_made_at_once_when_the_channel_has_changed_since_the_refusal(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("getMe", 401, "Unauthorized")
    await dispatcher.start()
    for request_id in ("refused", "answered"):
        reply_to = {"instance": "registry-1", "partition": 0, "request_id": request_id}
        await dispatcher.act("channel_call", channel_id=CHANNEL, method="getMe", reply_to=reply_to)
        await eventually(lambda id=request_id: _has_answer(dispatcher, id))
        await dispatcher.registry.put(channel(telegram.url).model_copy(update={"name": "with another token"}))
    assert [reply["status"] for reply in await dispatcher.bodies("replies")] == [401, 200]


async def test_a_channel_call_waits_for_the_credentials_that_it_is_for(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    await dispatcher.start()
    old, moved = channel(telegram.url), {"token": BOT_TOKEN, "inbound_url": "https://new.example/v1/in/x"}
    sealed = KeyRing(KEK).seal(
        orjson.dumps(moved), project=old.project_id, entity=old.id, field="credentials", after=old.credentials
    )
    for request_id, version in (("early", sealed.version), ("any", 0)):
        reply_to = {"instance": "registry-1", "partition": 0, "request_id": request_id}
        fields = {"channel_id": CHANNEL, "method": "setWebhook", "credentials_version": version, "reply_to": reply_to}
        await dispatcher.act("channel_call", **fields)
    await eventually(lambda: _has_answer(dispatcher, "any"))
    assert not await _has_answer(dispatcher, "early")
    await dispatcher.registry.put(old.model_copy(update={"credentials": sealed}))
    await eventually(lambda: _has_answer(dispatcher, "early"))
    assert [call.body["url"] for call in telegram.calls] == [None, "https://new.example/v1/in/x"]


async def _has_answer(dispatcher: RunningDispatcher, request_id: str) -> bool:
    return request_id in {reply["request_id"] for reply in await dispatcher.bodies("replies")}
