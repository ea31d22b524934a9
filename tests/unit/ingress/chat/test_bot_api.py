"""/v1/talk/{bot}/sessions: the Bot API."""

import asyncio
import time
from datetime import datetime
from types import SimpleNamespace

import pytest

from contracts import closed_sessions
from contracts.registry import Channel, Token
from ingress.chat import attachments, bot_api, listening
from ingress.chat import closed_sessions as closed_module
from servicekit.credentials.tokens import digest, generate_token
from support.chats import Chat, Stream, said
from support.ingress_fakes import BOT, PROJECT
from support.waiting import eventually

SESSIONS = f"/v1/talk/{BOT}/sessions"


def token(rig, **more):
    made = generate_token()
    known = {"id": made.id, "project_id": PROJECT, "name": "talk", "sha256": made.sha256, "scopes": ("bots:converse",)}
    rig.view.put("token", Token(**(known | more)))
    return {"authorization": f"Bearer {made.text}"}


@pytest.fixture
def bearer(rig):
    rig.view.put("channel", Channel(id="http-1", project_id=PROJECT, bot_id=BOT, type="http", name="api"))
    return token(rig)


async def opened(rig, bearer, **body):
    answer = await rig.call("POST", SESSIONS, json=body, headers=bearer)
    assert answer.status == 201, answer.json
    return answer.json


async def test_opening_makes_the_person_known_in_the_bots_http_channel(rig, bearer):
    session = await opened(rig, bearer, contact={"name": "Ann", "external_id": "7"})
    (known,) = rig.inbound
    assert (known["kind"], known["state"], known["channel_id"]) == ("reachability", "subscribed", "http-1")
    assert known["profile"] == {"name": "Ann", "external_id": "7"}
    assert (session["peer_id"], session["last_seq"]) == (known["peer_id"], 0)


@pytest.mark.parametrize("channel_id", ["telegram-1", "http-of-another-bot", "nobodys"])
async def test_a_session_is_in_the_bots_http_channel_and_in_no_other(rig, bearer, channel_id):
    rig.view.put("channel", Channel(id="telegram-1", project_id=PROJECT, bot_id=BOT, type="telegram", name="shop"))
    rig.view.put("channel", Channel(id="http-of-another-bot", project_id="p-2", bot_id="b-2", type="http", name="api"))
    person = {"peer_id": "7", "channel_id": channel_id}
    refused = await rig.call("POST", SESSIONS, json={"person": person}, headers=bearer)
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "#/person/channel_id")
    assert not rig.inbound


async def test_a_session_may_name_the_channel_that_it_is_in(rig, bearer):
    Chat(rig)
    session = await opened(rig, bearer, person={"peer_id": "7", "channel_id": "http-1"})
    assert session["peer_id"] == "7"


async def test_a_paused_channel_takes_nothing_and_what_was_said_is_read(rig, bearer):
    session, chat = await opened(rig, bearer), Chat(rig)
    chat.log, known = said(1), rig.inbound[:]
    paused = Channel(id="http-1", project_id=PROJECT, bot_id=BOT, type="http", name="api", state="paused")
    rig.view.put("channel", paused)
    messages, body = f"{SESSIONS}/{session['session_id']}/messages", {"client_message_id": "1", "text": "hi"}
    for path, given in ((SESSIONS, {}), (messages, body)):
        refused = await rig.call("POST", path, json=given, headers=bearer)
        assert (refused.status, refused.json["type"].rpartition("/")[2]) == (409, "channel-paused")
    assert rig.inbound == known
    heard = await rig.call("GET", messages, headers=bearer)
    assert [each["seq"] for each in heard.json["messages"]] == [1]


@pytest.mark.parametrize(
    ("scopes", "verified"),
    [(("bots:converse",), []), (("bots:converse", "data:write"), ["external_id", "phone", "email"])],
)
async def test_who_a_person_is_can_be_told_by_a_token_that_may_write_data(rig, bearer, scopes, verified):
    told, hugo = token(rig, scopes=scopes), {"email": "hugo@example.com"}
    session = await opened(rig, told, contact=hugo)
    body = {"client_message_id": "1", "text": "hi", "contact": hugo}
    await rig.call("POST", f"{SESSIONS}/{session['session_id']}/messages", json=body, headers=told)
    assert [record["verified"] for record in rig.inbound] == [verified] * 2


async def test_opening_with_a_flow_starts_it_after_the_person_is_known(rig, bearer):
    rig.engine = lambda record: {"status": "started"} if record["kind"] == "start" else None
    session = await opened(rig, bearer, flow="reserve", entry="bought", variables={"order_id": "7"})
    assert [record["kind"] for record in rig.inbound] == ["reachability", "start"]
    assert (session["status"], rig.inbound[1]["flow_id"]) == ("started", "flow-1")


async def test_a_message_can_wait_for_the_answer(rig, bearer):
    session = await opened(rig, bearer)
    rig.engine = lambda _: {"status": "waiting", "answer": "Which lecture?"}
    answer = await rig.call(
        "POST",
        f"{SESSIONS}/{session['session_id']}/messages",
        json={"client_message_id": "1", "text": "hi"},
        headers=bearer | {"prefer": "wait=10"},
    )
    assert (answer.status, answer.json["answer"]) == (200, "Which lecture?")


async def test_a_message_is_accepted_without_waiting(rig, bearer):
    session = await opened(rig, bearer)
    body = {"client_message_id": "1", "text": "hi"}
    answer = await rig.call("POST", f"{SESSIONS}/{session['session_id']}/messages", json=body, headers=bearer)
    assert answer.status == 202
    assert answer.headers["location"] == f"/v1/events/{answer.json['event_id']}"


async def test_another_token_sees_nothing_of_the_session_but_its_successor_does(rig, bearer):
    session = await opened(rig, bearer)
    path, body = f"{SESSIONS}/{session['session_id']}/messages", {"client_message_id": "1", "text": "hi"}
    other = token(rig)
    assert (await rig.call("POST", path, json=body, headers=other)).status == 404
    tokens = rig.view.all("token", PROJECT)
    old = next(one for one in tokens if one.name == "talk")
    rig.view.put("token", old.model_copy(update={"replaced_by": tokens[-1].id}))
    assert (await rig.call("POST", path, json=body, headers=other)).status == 202


@pytest.mark.parametrize(
    ("more", "status"), [({"scopes": ("data:read",)}, 403), ({"project_id": "project-2"}, 404), ({}, 201)]
)
async def test_scope_and_project_decide(rig, bearer, more, status):
    assert (await rig.call("POST", SESSIONS, headers=token(rig, **more))).status == status


async def test_a_bot_without_an_http_channel_is_404(rig):
    assert (await rig.call("POST", SESSIONS, headers=token(rig))).status == 404


@pytest.mark.parametrize("flow", [{}, {"flow": "reserve"}], ids=["no flow", "a flow"])
@pytest.mark.parametrize(
    "wrong", [{"variables": [None]}, {"entry": 5}, {"flow": 5}], ids=["variables", "entry", "flow"]
)
async def test_a_field_of_another_type_is_refused_with_and_without_a_flow(rig, bearer, flow, wrong):
    answer = await rig.call("POST", SESSIONS, json=flow | wrong, headers=bearer)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, f"#/{next(iter(wrong))}")
    assert rig.inbound == []


async def test_a_person_is_named_by_peer_id_only(rig, bearer):
    answer = await rig.call("POST", SESSIONS, json={"person": {"email": "a@b.c"}}, headers=bearer)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "#/person")


@pytest.mark.parametrize("before", [2, 250])
async def test_what_was_said_before_the_session_was_opened_is_not_read(rig, bearer, before):
    chat = Chat(rig)
    chat.log = said(*range(1, before + 1))
    session = await opened(rig, bearer, person={"peer_id": "old"})
    assert session["last_seq"] == before
    chat.say(f"{BOT}/http-1/old", *said(before + 1))
    answer = await rig.call("GET", f"{SESSIONS}/{session['session_id']}/messages?after=0", headers=bearer)
    assert [message["seq"] for message in answer.json["messages"]] == [before + 1]


async def test_an_engine_that_does_not_tell_the_last_message_is_503(rig, bearer, monkeypatch):
    monkeypatch.setattr(attachments, "BACKLOG_SECONDS", 0.01)
    answer = await rig.call("POST", SESSIONS, json={"person": {"peer_id": "old"}}, headers=bearer)
    assert answer.status == 503


def revoke(rig, bearer):
    text = bearer["authorization"].removeprefix("Bearer ")
    rig.view.delete("token", rig.view.find("token", "sha256", digest(text)).id)


@pytest.mark.parametrize("speaks", [False, True])
async def test_a_stream_ends_at_the_heartbeat_after_its_token_was_revoked(rig, bearer, monkeypatch, speaks):
    monkeypatch.setattr(listening, "HEARTBEAT_SECONDS", 0.01)
    chat, stream = Chat(rig), Stream()
    session = await opened(rig, bearer)
    path = f"{SESSIONS}/{session['session_id']}/messages"
    served = asyncio.create_task(stream.open(rig.ingress.app, path, bearer))
    await stream.until(b": beat\n\n")
    revoke(rig, bearer)
    if speaks:
        chat.say(f"{BOT}/http-1/{session['peer_id']}", *said(1))
    async with asyncio.timeout(5):
        await served
    assert stream.ended
    assert b"m1" not in stream.body
    assert (await rig.call("GET", path, headers=bearer)).status == 401


async def test_who_waits_hears_nothing_that_was_said_after_the_token_was_revoked(rig, bearer):
    chat = Chat(rig)
    session = await opened(rig, bearer)
    path = f"{SESSIONS}/{session['session_id']}/messages?wait=20"
    waiting = asyncio.create_task(rig.call("GET", path, headers=bearer))
    await eventually(lambda: chat.attaches)
    revoke(rig, bearer)
    chat.say(f"{BOT}/http-1/{session['peer_id']}", *said(1))
    assert (await waiting).status == 401


async def close(rig, bearer, session):
    return await rig.call("DELETE", f"{SESSIONS}/{session['session_id']}", headers=bearer)


def each_use(session):
    """Every call that takes a session's id, but the one that closes it."""
    path = f"{SESSIONS}/{session['session_id']}/messages"
    yield "POST", path, {"client_message_id": "1", "text": "hi"}
    yield "GET", path, None
    yield "GET", f"{path}?wait=20", None


async def test_a_closed_session_is_unknown_to_every_route_and_may_be_closed_again(rig, bearer):
    Chat(rig)
    session = await opened(rig, bearer, person={"peer_id": "7"})
    assert [(await close(rig, bearer, session)).status for _ in range(2)] == [204, 204]
    known = len(rig.inbound)
    for method, path, body in each_use(session):
        assert (await rig.call(method, path, json=body, headers=bearer)).status == 404
    assert len(rig.inbound) == known
    assert len(rig.publisher.of(closed_sessions.TOPIC.name)) == 1


async def test_who_comes_back_after_closing_has_a_session_that_is_open(rig, bearer):
    Chat(rig)
    first, second, third = [await opened(rig, bearer, person={"peer_id": "7"}) for _ in range(3)]
    await close(rig, bearer, second)
    for session in (first, third):
        path = f"{SESSIONS}/{session['session_id']}/messages"
        assert (await rig.call("GET", path, headers=bearer)).status == 200


@pytest.mark.parametrize("more", [{}, {"project_id": "project-2"}], ids=["another token", "another project"])
async def test_nobody_closes_somebody_elses_session(rig, bearer, more):
    Chat(rig)
    session = await opened(rig, bearer)
    assert (await close(rig, token(rig, **more), session)).status == 404
    path = f"{SESSIONS}/{session['session_id']}/messages"
    assert (await rig.call("GET", path, headers=bearer)).status == 200


@pytest.mark.parametrize("speaks", [False, True])
async def test_who_listens_hears_nothing_that_is_said_after_the_session_was_closed(rig, bearer, monkeypatch, speaks):
    monkeypatch.setattr(listening, "HEARTBEAT_SECONDS", 0.01)
    chat, stream, session = Chat(rig), Stream(), await opened(rig, bearer)
    path = f"{SESSIONS}/{session['session_id']}/messages"
    served = asyncio.create_task(stream.open(rig.ingress.app, path, bearer))
    await stream.until(b": beat\n\n")
    await close(rig, bearer, session)
    if speaks:
        chat.say(f"{BOT}/http-1/{session['peer_id']}", *said(1))
    async with asyncio.timeout(5):
        await served
    assert stream.ended
    assert b"m1" not in stream.body


async def test_a_session_ends_by_itself_and_its_end_is_told(rig, bearer, monkeypatch):
    Chat(rig)
    session = await opened(rig, bearer)
    ends = datetime.fromisoformat(session["expires_at"]).timestamp()
    assert ends - time.time() == pytest.approx(30 * 86_400, abs=60)
    monkeypatch.setattr(bot_api, "time", SimpleNamespace(time=lambda: ends + 1))
    for method, path, body in [*each_use(session), ("DELETE", f"{SESSIONS}/{session['session_id']}", None)]:
        assert (await rig.call(method, path, json=body, headers=bearer)).status == 404


async def test_while_closed_sessions_are_not_known_no_session_is_taken_for_an_open_one(rig, bearer):
    Chat(rig)
    session = await opened(rig, bearer)
    rig.ingress.closed.known = False
    for method, path, body in [*each_use(session), ("DELETE", f"{SESSIONS}/{session['session_id']}", None)]:
        assert (await rig.call(method, path, json=body, headers=bearer)).status == 503


async def test_a_session_is_open_until_kafka_has_it_that_it_is_closed(rig, bearer):
    Chat(rig)
    session = await opened(rig, bearer)
    rig.publisher.down = True
    assert (await close(rig, bearer, session)).status == 503
    rig.publisher.down = False
    path = f"{SESSIONS}/{session['session_id']}/messages"
    assert (await rig.call("GET", path, headers=bearer)).status == 200
    assert (await close(rig, bearer, session)).status == 204


async def test_a_project_closes_so_many_sessions_at_most_and_another_one_still_can(rig, bearer, monkeypatch):
    monkeypatch.setattr(closed_module, "MOST_OF_A_PROJECT", 2)
    sessions = [await opened(rig, bearer) for _ in range(3)]
    answers = [await close(rig, bearer, each) for each in sessions]
    assert [each.status for each in answers] == [204, 204, 429]
    assert answers[2].json["type"].endswith("/too-many-closed")
    await rig.ingress.closed.close("project-2", "s", int(time.time()) + 60)
