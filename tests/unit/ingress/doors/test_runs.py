"""POST /v1/run/{trigger}: another program starts a flow."""

import asyncio

import orjson
import pytest

from contracts import findings
from contracts.ids import derived_id
from contracts.inbound import StartFlow
from contracts.registry import Channel, Flow, Token, TriggerAuth
from ingress.intake import rate_limits
from ingress.intake.rate_limits import Rate
from ingress.wire import preferences
from ingress.wire.preferences import CallerWait
from servicekit.credentials.tokens import digest, generate_token
from support.ingress_fakes import BOT, CHANNEL, FLOW, PROJECT, trigger

STARTED = {"status": "started"}
WAITING = {"status": "waiting"}
ASYNC = {"prefer": "respond-async"}


async def test_a_post_starts_the_flow_for_its_peer(rig):
    answer = await rig.run(headers=ASYNC | {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-00"})
    assert (answer.status, answer.json["status"]) == (202, "accepted")
    assert answer.headers["location"] == f"/v1/events/{answer.json['event_id']}"
    (record,) = rig.publisher.of("switchhook.inbound.v1")
    assert record.key == f"{BOT}/{CHANNEL}/5".encode()
    headers = dict(record.headers)
    assert headers["ce_id"].decode() == answer.json["event_id"]
    assert headers["ce_type"] == b"dev.switchhook.inbound.start"
    assert headers["swh-registry-offset"] == b"7"
    assert headers["swh-registry-incarnation"] == b"topic-1"
    assert headers["traceparent"].startswith(b"00-" + b"a" * 32)
    start = StartFlow.model_validate_json(record.value)
    assert (start.flow_id, start.entry, start.source, start.trigger_id) == (FLOW, "bought", "trigger", "trigger-1")
    assert (start.peer_id, start.channel_type, start.variables, start.reply_to) == (
        "5",
        "telegram",
        {"order_id": "7"},
        None,
    )


async def test_the_ordinary_caller_hears_the_engines_verdict(rig):
    rig.engine = lambda start: STARTED if start["reply_to"]["until"] == "verdict" else None
    answer = await rig.run()
    assert (answer.status, answer.json["status"]) == (202, "started")


@pytest.mark.parametrize("reason", ["has-not-talked", "messages-not-allowed", "not-in-chat", "blocked"])
async def test_a_refusal_of_the_engine_names_the_condition(rig, reason):
    problem = {
        "type": "peer-not-reachable",
        "title": "No",
        "status": 409,
        "detail": "They never wrote.",
        "reason": reason,
    }
    rig.engine = lambda _: {"status": "rejected", "problem": problem}
    answer = await rig.run()
    assert (answer.status, answer.json["reason"], answer.json["detail"]) == (409, reason, "They never wrote.")
    assert answer.json["type"].endswith("/peer-not-reachable")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_no_verdict_in_time_is_accepted(rig, monkeypatch):
    monkeypatch.setattr(preferences, "VERDICT", CallerWait("verdict", 0.01))
    answer = await rig.run()
    assert (answer.status, answer.json["status"]) == (202, "accepted")


async def test_who_waits_gets_the_answer(rig):
    said = {"seq": 1, "id": "m", "at": "2026-11-21T00:00:00.000Z", "content": {"text": "Done"}}
    rig.engine = lambda start: (
        {"status": "waiting", "answer": "Done", "messages": [said]} if start["reply_to"]["until"] == "rest" else None
    )
    answer = await rig.run(headers={"prefer": "wait=10"})
    assert answer.status == 200
    assert (answer.json["status"], answer.json["answer"]) == ("waiting", "Done")
    assert answer.json["messages"][0]["content"]["text"] == "Done"


async def test_who_waits_for_a_run_that_fails_gets_its_problem(rig):
    problem = {"type": "command-failed", "title": "Failed", "status": 503, "detail": "boom"}
    rig.engine = lambda _: {"status": "failed", "problem": problem}
    answer = await rig.run(headers={"prefer": "wait=10"})
    assert (answer.status, answer.json["status"], answer.json["problem"]["detail"]) == (200, "failed", "boom")


async def test_a_caller_without_headers_puts_token_and_wait_into_the_body(rig):
    rig.engine = lambda start: {"status": "completed", "answer": "ok"}
    body = {"token": rig.token, "wait": 3, "peer_id": "5", "variables": {"order_id": "7"}, "shop": "Books"}
    answer = await rig.call("POST", "/v1/run/trigger-1", json=body)
    assert (answer.status, answer.json["answer"]) == (200, "ok")
    assert rig.inbound[0]["content"] == {"shop": "Books"}
    assert all(rig.token.encode() not in record.value for record in rig.publisher.records)


@pytest.mark.parametrize("key", ["order-7", "order-8"])
async def test_the_idempotency_key_makes_the_event_id(rig, key):
    answers = [await rig.run(headers=ASYNC | {"idempotency-key": key}) for _ in range(2)]
    assert {answer.json["event_id"] for answer in answers} == {derived_id(PROJECT, "/v1/run/trigger-1", key)}


async def test_a_person_named_otherwise_goes_to_the_engine_to_be_found(rig):
    await rig.run({"person": {"email": "ann@example.com"}, "variables": {"order_id": "7"}}, headers=ASYNC)
    assert rig.publisher.of("switchhook.inbound.v1")[0].key == f"{BOT}/-/email:ann@example.com".encode()
    assert rig.inbound[0]["person"] == {"email": "ann@example.com", "channel_id": CHANNEL}


async def test_a_group_trigger_has_its_own_peer(rig):
    rig.view.put("trigger", trigger(rig.view.get("trigger", "trigger-1").auth.token_id, group_peer_id="-1001"))
    variables = {"order_id": "7"}
    for body in ({"variables": variables}, {"peer_id": -1001, "variables": variables}):
        assert (await rig.run(body, headers=ASYNC)).status == 202
    assert {(start["peer_id"], start["chat"]) for start in rig.inbound} == {("-1001", "group")}
    answer = await rig.run({"peer_id": 5}, headers=ASYNC)
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (422, "peer-is-fixed")


async def test_a_trigger_whose_url_is_the_secret_needs_no_token(rig):
    rig.view.put("trigger", trigger(None))
    assert (await rig.run(headers=ASYNC | {"authorization": "Basic eA=="})).status == 202


def secret_url(rig, secret: str = "s3cret") -> None:
    """The trigger's URL now ends in `.<secret>`."""
    rig.view.put("trigger", trigger(None, auth=TriggerAuth(scheme="url", url_sha256=digest(secret))))


@pytest.mark.parametrize(
    ("segment", "status"),
    [("trigger-1.s3cret", 202), ("trigger-1", 401), ("trigger-1.", 401), ("trigger-1.other", 401)],
)
async def test_the_secret_in_a_triggers_url_is_what_opens_it(rig, segment, status):
    secret_url(rig)
    body = {"peer_id": 5, "variables": {"order_id": "7"}}
    answer = await rig.call("POST", f"/v1/run/{segment}", json=body, headers=ASYNC)
    assert (answer.status, len(rig.inbound)) == (status, int(status == 202))
    assert all(b"s3cret" not in record.value for record in rig.publisher.records)


async def test_an_id_that_opens_its_trigger_is_told_to_nobody(rig):
    secret_url(rig)
    body = {"peer_id": 5, "variables": {"order_id": "7"}}
    await rig.call("POST", "/v1/run/trigger-1.s3cret", json=body, headers=ASYNC)
    rig.view.put("trigger", trigger(None))
    await rig.run(headers=ASYNC)
    with_secret, from_before = rig.inbound
    assert (with_secret["trigger_id"], "trigger_id" in from_before) == ("trigger-1", False)


STRANGER = {"authorization": f"Bearer {generate_token().text}"}


async def test_a_stranger_neither_uses_a_triggers_rate_up_nor_stands_in_its_log(rig):
    project = rig.view.get("project", PROJECT)
    rig.view.put(
        "project", project.model_copy(update={"rate_limits": {"per_trigger": {"count": 1, "per_seconds": 60}}})
    )
    secret_url(rig)
    for segment in ("trigger-1", "trigger-1.wrong"):
        assert (await rig.call("POST", f"/v1/run/{segment}", json={})).status == 401
    rig.view.put("trigger", trigger(next(iter(rig.view.all("token", PROJECT))).id))
    for _ in range(3):
        assert (await rig.run(headers=STRANGER)).status == 401
    assert (await rig.run(headers=ASYNC)).status == 202
    await rig.ingress.intake.drained()
    [noted] = rig.events("trigger.request", findings.TOPIC)
    assert noted["status"] == 202


@pytest.mark.parametrize("body", [b"not json", b'"' + b"x" * 1024 * 1024 + b'"'], ids=["not json", "large"])
async def test_a_strangers_body_is_not_looked_at(rig, body):
    assert (await rig.call("POST", "/v1/run/trigger-1", body=body, headers=STRANGER)).status == 401


async def test_who_shows_nothing_before_the_body_is_read_is_counted_by_address(rig, monkeypatch):
    monkeypatch.setattr(rate_limits, "OPEN_DOOR", Rate(2, 60))
    statuses = [(await rig.call("POST", "/v1/run/trigger-1", json={})).status for _ in range(3)]
    assert statuses == [401, 401, 429]
    assert (await rig.run(headers=ASYNC)).status == 202


@pytest.mark.parametrize(
    ("body", "status", "slug", "detail"),
    [
        (b"", 400, "not-json", ""),
        (b'{"peer_id": 5,}', 400, "not-json", "line 1, column 14"),
        (b"[]", 422, "invalid", "must be a JSON object"),
        (b'{"variables": {}}', 422, "invalid", "peer_id is needed: this trigger writes in private messages"),
        (b'{"peer_id": "a b"}', 422, "invalid", "peer_id: an integer"),
        (b'{"peer_id": 5, "variables": []}', 422, "invalid", "variables is an object"),
        (b'{"peer_id": 5, "variables": {"order_id": 7}}', 422, "variables-wrong", "order_id must be of type string"),
        (b'{"peer_id": 5}', 422, "variables-wrong", "order_id is needed"),
        (b'{"peer_id": 5, "person": {"email": "a@b.c"}}', 422, "invalid", "not both"),
        (b'{"peer_id": 5, "wait": "x", "variables": {"order_id": "7"}}', 422, "invalid", "wait is a number"),
        (b'{"peer_id": 5, "content": 18446744073709551616}', 422, "invalid", "64 bits"),
        (b'{"peer_id": 5, "variables": ' + b'{"a":' * 70 + b"1" + b"}" * 71, 400, "json-too-deep", "64"),
        (b'"' + b"x" * 1024 * 1024 + b'"', 413, "too-large", "1048576"),
    ],
)
async def test_a_wrong_body_is_refused_precisely(rig, body, status, slug, detail):
    answer = await rig.call("POST", "/v1/run/trigger-1", body=body, headers={"authorization": f"Bearer {rig.token}"})
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (status, slug)
    assert detail in answer.json["detail"]
    assert rig.inbound == []


def other_token(rig, **more):
    made = generate_token()
    known = {"id": made.id, "project_id": PROJECT, "name": "other", "sha256": made.sha256, "scopes": ("flows:execute",)}
    rig.view.put("token", Token(**(known | more)))
    return made.text


@pytest.mark.parametrize(
    ("more", "status", "slug"),
    [
        ({}, 403, "token-not-of-this-trigger"),
        ({"scopes": ("data:read",)}, 403, "scope-missing"),
        ({"project_id": "project-2"}, 404, "not-found"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 401, "unauthorized"),
        ({"allowed_cidrs": ("198.51.100.0/24",)}, 403, "address-not-allowed"),
    ],
)
async def test_another_token_is_refused(rig, more, status, slug):
    answer = await rig.run(headers=ASYNC | {"authorization": f"Bearer {other_token(rig, **more)}"})
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (status, slug)
    assert rig.inbound == []


async def test_a_rotated_token_works_until_it_expires(rig):
    own = rig.view.get("trigger", "trigger-1").auth.token_id
    assert (
        await rig.run(headers=ASYNC | {"authorization": f"Bearer {other_token(rig, replaced_by=own)}"})
    ).status == 202


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer nonsense", f"Bearer {generate_token().text}"],
    ids=["none", "no token", "nobody's token"],
)
async def test_no_valid_token_is_401(rig, authorization):
    answer = await rig.run(headers={"authorization": authorization})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_operators_token_is_not_the_triggers(rig):
    assert (await rig.run(headers={"authorization": "Bearer " + "a" * 32})).status == 403


async def test_a_trigger_that_lost_its_token_is_401(rig):
    rig.view.put("trigger", trigger(None, state="needs_token"))
    assert (await rig.run()).status == 401


async def test_an_unpublished_flow_is_404_and_published_a_moment_ago_is_found(rig):
    unpublished = Flow(id=FLOW, project_id=PROJECT, bot_id=BOT, slug="reserve", name="Reserve")
    published = rig.view.get("flow", FLOW)
    rig.view.put("flow", unpublished)
    answer = await rig.run(headers=ASYNC)
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (404, "trigger-unpublished")
    rig.view.later["flow", FLOW] = published
    assert (await rig.run(headers=ASYNC)).status == 202


async def test_an_unknown_trigger_is_404_and_unknown_to_a_view_that_cannot_catch_up_is_503(rig):
    assert (await rig.call("POST", "/v1/run/nothing", json={})).status == 404
    rig.view.reachable = False
    answer = await rig.call("POST", "/v1/run/nothing", json={})
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_a_bot_with_two_channels_needs_channel_id(rig):
    rig.view.put("trigger", trigger(rig.view.get("trigger", "trigger-1").auth.token_id, channel_id=None))
    assert (await rig.run(headers=ASYNC)).status == 202
    rig.view.put("channel", Channel(id="channel-2", project_id=PROJECT, bot_id=BOT, type="webchat", name="web"))
    answer = await rig.run(headers=ASYNC)
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (422, "channel-needed")


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
async def test_other_methods_are_405(rig, method):
    answer = await rig.call(method, "/v1/run/trigger-1")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


async def test_kafka_gone_is_503_and_says_what_to_do(rig):
    rig.publisher.down = True
    answer = await rig.run()
    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert "same Idempotency-Key" in answer.json["detail"]


@pytest.mark.parametrize("part", ["view", "asker"])
async def test_nothing_is_answered_before_the_registry_was_read_and_replies_would_be_seen(rig, part):
    getattr(rig, part).ready = False
    assert (await rig.run()).status == 503


async def test_a_flood_is_limited_by_the_projects_own_limits(rig):
    project = rig.view.get("project", PROJECT)
    limits = {"per_trigger": {"count": 2, "per_seconds": 60}, "exempt_cidrs": ["198.51.100.0/24"]}
    rig.view.put("project", project.model_copy(update={"rate_limits": limits}))
    statuses = [(await rig.run(headers=ASYNC)).status for _ in range(3)]
    assert statuses == [202, 202, 429]
    assert (await rig.run(headers=ASYNC, client="198.51.100.7")).status == 202


async def test_the_request_log_holds_what_came_and_what_became_of_it(rig):
    await rig.run({"token": rig.token, "peer_id": 5, "variables": {"order_id": "7"}}, headers=ASYNC)
    await rig.run({"peer_id": "a b"})
    await rig.ingress.intake.drained()
    good, bad = rig.events("trigger.request", findings.TOPIC)
    assert (good["status"], good["trigger"], good["body"]) == (
        202, {"id": "trigger-1"}, {"peer_id": 5, "variables": {"order_id": "7"}},
    )  # fmt: skip
    assert (bad["status"], bad["problem"]["type"]) == (422, "invalid")


async def test_the_request_log_names_the_event_that_was_answered(rig):
    answer = await rig.run(headers=ASYNC)
    await rig.run({"peer_id": "a b"})
    await rig.ingress.intake.drained()
    good, bad = rig.events("trigger.request", findings.TOPIC)
    assert good["event_id"] == answer.json["event_id"]
    assert good["event_id"] != bad.get("event_id")


async def test_the_request_log_is_text_that_postgres_can_hold(rig):
    await rig.run({"peer_id": "n", "variables": {"order_id": "7", "a\x00": "\x00"}}, headers=ASYNC)
    await rig.ingress.intake.drained()
    [noted] = rig.events("trigger.request", findings.TOPIC)
    assert noted["body"]["variables"] == {"order_id": "7", "a\ufffd": "\ufffd"}


async def test_the_request_log_takes_ten_a_second(rig):
    await asyncio.gather(*(rig.run(headers=ASYNC) for _ in range(40)))
    await rig.ingress.intake.drained()
    assert len(rig.inbound) == 40
    assert 10 <= len(rig.events("trigger.request", findings.TOPIC)) <= 12


@pytest.mark.parametrize(
    "body",
    [{"peer_id": 5}, {"person": {"email": "a@b.c"}}, {"peer_id": 5, "shop": {"a": [1, None]}, "wait": 1}],
)
async def test_the_record_is_what_its_model_would_have_written(rig, body):
    rig.engine = lambda asked: WAITING if asked["reply_to"]["until"] == "rest" else STARTED
    await rig.run(body | {"variables": {"order_id": "7"}, "deep": {"a": [None, 1.5, "я"]}})
    (record,) = rig.publisher.of("switchhook.inbound.v1")
    assert orjson.loads(StartFlow.model_validate_json(record.value).encode()) == orjson.loads(record.value)


async def test_hops_travel_on(rig):
    await rig.run(headers=ASYNC | {"switchhook-hops": "4"})
    assert rig.inbound[0]["hops"] == 4


@pytest.mark.parametrize("told", ["x", "-5", "1.0", "", str(10**30)])
async def test_hops_that_are_no_count_are_too_many(rig, told):
    await rig.run(headers=ASYNC | {"switchhook-hops": told})
    assert rig.inbound[0]["hops"] > 16


async def test_what_was_asked_travels_with_its_key(rig):
    bodies = [
        {"peer_id": 5, "variables": {"order_id": "7"}, "shop": 1},
        {"shop": 1, "variables": {"order_id": "7"}, "peer_id": "5", "wait": 0},
        {"peer_id": 5, "variables": {"order_id": "8"}, "shop": 1},
        {"peer_id": 6, "variables": {"order_id": "7"}, "shop": 1},
        {"peer_id": 5, "variables": {"order_id": "7"}, "shop": 2},
    ]
    for body in bodies:
        await rig.run(body, headers=ASYNC | {"idempotency-key": "order-7"})
    await rig.run(headers=ASYNC)
    same, again, *others, without = [start.get("request_digest") for start in rig.inbound]
    assert same == again
    assert len({same, *others}) == 4
    assert without is None


async def test_another_body_under_a_used_key_is_422(rig):
    problem = {"type": "idempotency-key-reused", "title": "Reused", "status": 422, "detail": "Another body."}
    rig.engine = lambda _: {"status": "rejected", "problem": problem}
    answer = await rig.run(headers={"idempotency-key": "order-7", "prefer": "wait=10"})
    assert (answer.status, answer.json["type"].rsplit("/", 1)[-1]) == (422, "idempotency-key-reused")
