"""/v1/talk/{bot}/sessions: the Bot API."""

import asyncio

import pytest

from contracts.actions import MessageContent
from contracts.registry import Channel, Token
from contracts.replies import ChatMessage, MessagesReply
from servicekit.credentials.tokens import generate_token
from support.ingress_fakes import BOT, PROJECT

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


async def test_a_person_is_named_by_peer_id_only(rig, bearer):
    answer = await rig.call("POST", SESSIONS, json={"person": {"email": "a@b.c"}}, headers=bearer)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "#/person")


async def test_what_was_said_before_the_session_was_opened_is_not_read(rig, bearer):
    log = [ChatMessage(seq=seq, id=str(seq), at="", content=MessageContent(text="x")) for seq in (1, 2, 3)]
    shown = log[:2]

    def answer_attach(record):
        if b'"kind":"attach"' in record.value:
            attach = rig.inbound[-1]
            found = tuple(message for message in shown if message.seq > attach["after"])
            reply = MessagesReply(
                instance="i", request_id=attach["request_id"], conversation=record.key.decode(), messages=found
            )
            asyncio.get_running_loop().call_soon(rig.asker.futures[attach["request_id"]].set_result, reply)

    rig.publisher.on_record = answer_attach
    session = await opened(rig, bearer, person={"peer_id": "old"})
    assert session["last_seq"] == 2
    key = f"{BOT}/http-1/old"
    rig.ingress.attachments.on_messages(MessagesReply(instance="i", conversation=key, messages=(log[2],)))
    answer = await rig.call("GET", f"{SESSIONS}/{session['session_id']}/messages?after=0", headers=bearer)
    assert [message["seq"] for message in answer.json["messages"]] == [3]
