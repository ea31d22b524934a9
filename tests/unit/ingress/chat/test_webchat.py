"""/v1/web/{channel}/sessions."""

import asyncio

import pytest

from contracts.ids import derived_id
from contracts.registry import Channel, Token
from ingress.chat import attachments, listening, webchat
from servicekit.credentials.tokens import generate_token
from support.chats import Chat, Stream, said
from support.ingress_fakes import BOT, PROJECT
from support.waiting import eventually

SESSIONS, PAGE = "/v1/web/web-1/sessions", "https://shop.example"


@pytest.fixture
async def chat(rig):
    channel = Channel(id="web-1", project_id=PROJECT, bot_id=BOT, type="webchat", name="web", allowed_origins=(PAGE,))
    rig.view.put("channel", channel)
    return Chat(rig)


async def opened(chat, **more):
    answer = await chat.rig.call("POST", SESSIONS, json=more or None)
    assert answer.status == 201
    session = answer.json
    bearer = {"authorization": f"Bearer {session['token']}"}
    return f"{SESSIONS}/{session['session_id']}", f"{BOT}/web-1/{session['session_id']}", bearer


async def test_a_visitor_alone_always_opens_a_new_conversation(chat):
    first = await chat.rig.call("POST", SESSIONS, json={"visitor_id": "v"})
    second = await chat.rig.call("POST", SESSIONS, json={"visitor_id": "v"})
    assert first.json["session_id"] != second.json["session_id"]
    assert (first.json["last_seq"], first.json["messages"]) == (0, [])
    assert chat.rig.publisher.records == []


async def test_a_message_is_one_however_often_it_is_sent(chat):
    path, key, bearer = await opened(chat, locale="de")
    body = {"client_message_id": "1", "type": "text", "text": "hello"}
    answers = [await chat.rig.call("POST", f"{path}/messages", json=body, headers=bearer) for _ in range(2)]
    assert [(answer.status, answer.json) for answer in answers] == [(202, {"message_id": derived_id(key, "1")})] * 2
    record = chat.rig.publisher.of("switchhook.inbound.v1")[0]
    assert (record.key.decode(), dict(record.headers)["ce_id"].decode()) == (key, derived_id(key, "1"))
    message = chat.rig.inbound[0]
    assert (message["text"], message["channel_type"], message["profile"]["language"]) == ("hello", "webchat", "de")


async def test_a_paused_channel_takes_nothing_and_the_page_may_read_why(chat):
    path, _, bearer = await opened(chat)
    channel = chat.rig.view.get("channel", "web-1")
    chat.rig.view.put("channel", channel.model_copy(update={"state": "paused"}))
    chat.log, body = said(1), {"client_message_id": "1", "text": "hello"}
    for to, given in ((SESSIONS, {}), (f"{path}/messages", body)):
        refused = await chat.rig.call("POST", to, json=given, headers=bearer | {"origin": PAGE})
        assert (refused.status, refused.json["type"].rpartition("/")[2]) == (409, "channel-paused")
        assert refused.headers["access-control-allow-origin"] == PAGE
    assert chat.rig.inbound == []
    heard = await chat.rig.call("GET", f"{path}/events", headers=bearer)
    assert [each["seq"] for each in heard.json["messages"]] == [1]


async def test_what_a_visitor_says_of_himself_is_a_claim(chat):
    path, _, bearer = await opened(chat)
    claimed = {"email": "hugo@example.com", "phone": "+491701234567", "external_id": "crm-7"}
    body = {"client_message_id": "1", "text": "hello", "contact": claimed}
    assert (await chat.rig.call("POST", f"{path}/messages", json=body, headers=bearer)).status == 202
    assert (chat.rig.inbound[0]["profile"], chat.rig.inbound[0]["verified"]) == (claimed, [])


@pytest.fixture
def site(chat):
    """Headers of the site's server; `site(**more)` changes its token."""

    def headers(**more):
        made = generate_token()
        known = {"id": made.id, "project_id": PROJECT, "name": "site", "sha256": made.sha256}
        chat.rig.view.put("token", Token(**(known | {"scopes": ("data:write",)} | more)))
        return {"authorization": f"Bearer {made.text}"}

    return headers


async def test_who_a_visitor_is_can_be_told_by_the_sites_server(chat, site):
    hugo = {"external_id": "crm-7", "name": "Hugo"}
    made = await chat.rig.call("POST", SESSIONS, json={"contact": hugo}, headers=site())
    assert made.status == 201
    bearer = {"authorization": f"Bearer {made.json['token']}"}
    again = await chat.rig.call("POST", SESSIONS, headers=bearer)
    for number, opened_by in enumerate((bearer, {"authorization": f"Bearer {again.json['token']}"})):
        claimed = {"external_id": "crm-1", "email": "hugo@example.com"}
        body = {"client_message_id": str(number), "text": "hello", "contact": claimed}
        path = f"{SESSIONS}/{made.json['session_id']}/messages"
        assert (await chat.rig.call("POST", path, json=body, headers=opened_by)).status == 202
    for message in (record for record in chat.rig.inbound if record["kind"] == "message"):
        assert (message["profile"], message["verified"]) == (hugo | {"email": "hugo@example.com"}, ["external_id"])


@pytest.mark.parametrize(
    ("token", "contact", "status"),
    [
        ({"scopes": ("bots:converse",)}, {}, 403),
        ({"project_id": "project-2"}, {}, 404),
        ({"expires_at": "2020-01-01T00:00:00Z"}, {}, 401),
        ({}, {"age": 3}, 422),
        ({}, {"name": "x" * 600, "city": "y" * 600}, 422),
    ],
)
async def test_who_may_not_write_data_vouches_for_nobody(chat, site, token, contact, status):
    answer = await chat.rig.call("POST", SESSIONS, json={"contact": contact}, headers=site(**token))
    assert answer.status == status


@pytest.mark.parametrize(
    ("body", "type", "payload"),
    [
        ({"type": "choice", "payload": "k1", "text": "Yes"}, "choice", "k1"),
        ({"type": "event", "name": "opened"}, "event", "opened"),
    ],
)
async def test_taps_and_events(chat, body, type, payload):
    path, _, bearer = await opened(chat)
    answer = await chat.rig.call("POST", f"{path}/messages", json={"client_message_id": "1"} | body, headers=bearer)
    assert answer.status == 202
    assert (chat.rig.inbound[0]["type"], chat.rig.inbound[0]["payload"]) == (type, payload)


FILE = {"type": "image", "url": "https://shop.example.com/a.png", "mime": "image/png", "size": 9}
PLACE = {"type": "location", "latitude": 52.5, "longitude": 13, "name": "Shop"}
KNOWN = {"type": "contact", "phone": "+4930901820", "first_name": "Ann"}


@pytest.mark.parametrize(
    ("type", "attachments"), [("media", [FILE, {**FILE, "type": "file"}]), ("location", [PLACE]), ("contact", [KNOWN])]
)
async def test_files_a_place_and_a_contact_come_as_attachments(chat, type, attachments):
    path, _, bearer = await opened(chat)
    body = {"client_message_id": "1", "type": type, "attachments": attachments, "text": "Look"}
    for _ in range(2):
        assert (await chat.rig.call("POST", f"{path}/messages", json=body, headers=bearer)).status == 202
    record = chat.rig.inbound[0]
    assert (record["type"], record["text"], record["attachments"]) == (type, "Look", attachments)
    other = body | {
        "attachments": [{**attachments[0], "name": "Other"}] if type != "contact" else [{**KNOWN, "phone": "1"}]
    }
    await chat.rig.call("POST", f"{path}/messages", json=other, headers=bearer)
    assert len({one["request_digest"] for one in chat.rig.inbound}) == 2


@pytest.mark.parametrize(
    ("type", "attachments", "pointer"),
    [
        ("media", None, "/attachments"),
        ("media", [], "/attachments"),
        ("media", [FILE] * 11, "/attachments"),
        ("media", [PLACE], "/attachments"),
        ("location", [PLACE, PLACE], "/attachments"),
        ("contact", [FILE], "/attachments"),
        ("text", [FILE], "/attachments"),
        ("media", [{**FILE, "url": "javascript:alert(1)"}], "/attachments/0/url"),
        ("media", [{**FILE, "url": "https://user:x@shop.example.com/"}], "/attachments/0/url"),
        ("media", [{**FILE, "size": -1}], "/attachments/0/size"),
        ("media", [{"type": "poll"}], "/attachments/0"),
        ("location", [{**PLACE, "latitude": 91}], "/attachments/0/latitude"),
        ("location", [{**PLACE, "latitude": "north"}], "/attachments/0/latitude"),
        ("contact", [{**KNOWN, "verified": True}], "/attachments/0/verified"),
    ],
)
async def test_attachments_that_are_none_are_422_at_their_place(chat, type, attachments, pointer):
    path, _, bearer = await opened(chat)
    body = {"client_message_id": "1", "type": type, "text": "x", "attachments": attachments}
    answer = await chat.rig.call("POST", f"{path}/messages", json=body, headers=bearer)
    assert answer.status == 422, answer.json
    assert pointer in str(answer.json)
    assert chat.rig.inbound == []


@pytest.mark.parametrize(
    "body",
    [
        {"text": "x"},
        {"client_message_id": "1"},
        {"client_message_id": "1", "text": ""},
        {"client_message_id": "1", "text": "x" * 16_385},
        {"client_message_id": "1", "type": "choice"},
        {"client_message_id": "1", "type": "shout", "text": "x"},
    ],
)
async def test_a_message_that_is_none_is_422(chat, body):
    path, _, bearer = await opened(chat)
    assert (await chat.rig.call("POST", f"{path}/messages", json=body, headers=bearer)).status == 422


async def test_a_session_needs_its_own_token(chat, monkeypatch):
    path, _, bearer = await opened(chat)
    _, _, other = await opened(chat)
    assert (await chat.rig.call("GET", f"{path}/events")).status == 401
    assert (await chat.rig.call("GET", f"{path}/events", headers={"authorization": "Bearer x"})).status == 401
    assert (await chat.rig.call("GET", f"{path}/events", headers=other)).status == 404
    monkeypatch.setattr(webchat.time, "time", lambda: 10**10)
    assert (await chat.rig.call("GET", f"{path}/events", headers=bearer)).status == 401


async def test_pages_of_other_origins_are_refused_and_ours_may_read(chat):
    allowed = await chat.rig.call("POST", SESSIONS, headers={"origin": PAGE})
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert (await chat.rig.call("POST", SESSIONS, headers={"origin": "https://evil.example"})).status == 403
    preflight = await chat.rig.call("OPTIONS", SESSIONS, headers={"origin": PAGE})
    assert preflight.status == 204
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    refused = await chat.rig.call("GET", f"{SESSIONS}/x/events", headers={"origin": PAGE})
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, PAGE)


async def test_a_poll_gives_what_is_there(chat):
    path, _, bearer = await opened(chat)
    chat.log = said(1, 2, 3)
    answer = await chat.rig.call("GET", f"{path}/events?after=1", headers=bearer)
    assert [message["seq"] for message in answer.json["messages"]] == [2, 3]
    assert answer.json["last_seq"] == 3


async def test_a_long_poll_waits_for_the_next_message_and_the_lease_serves_the_one_after(chat):
    path, key, bearer = await opened(chat)
    waiting = asyncio.create_task(chat.rig.call("GET", f"{path}/events?after=0&wait=20", headers=bearer))
    await eventually(lambda: chat.attaches)
    chat.say(key, *said(1))
    assert [message["seq"] for message in (await waiting).json["messages"]] == [1]
    chat.say(key, *said(2))
    answer = await chat.rig.call("GET", f"{path}/events?after=1&wait=20", headers=bearer)
    assert [message["seq"] for message in answer.json["messages"]] == [2]
    assert len(chat.attaches) == 1


async def test_a_gap_is_filled_by_attaching_again(chat):
    path, key, bearer = await opened(chat)
    await chat.rig.call("GET", f"{path}/events?after=0", headers=bearer)
    chat.log += said(1)
    chat.say(key, *said(2))
    answer = await chat.rig.call("GET", f"{path}/events?after=0", headers=bearer)
    assert [message["seq"] for message in answer.json["messages"]] == [1, 2]
    assert len(chat.attaches) == 2


async def test_a_lease_is_renewed_before_it_ends(chat, monkeypatch):
    path, _, bearer = await opened(chat)
    monkeypatch.setattr(attachments, "LEASE_SECONDS", 1.0)
    for _ in range(2):
        await chat.rig.call("GET", f"{path}/events?after=0", headers=bearer)
    assert len(chat.attaches) == 2


async def test_an_engine_that_does_not_answer_is_503(chat, monkeypatch):
    monkeypatch.setattr(attachments, "BACKLOG_SECONDS", 0.01)
    chat.rig.publisher.on_record = lambda _: None
    path, _, bearer = await opened(chat)
    answer = await chat.rig.call("GET", f"{path}/events", headers=bearer)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_a_stream_names_the_seq_and_goes_on_where_the_last_one_ended(chat):
    path, key, bearer = await opened(chat)
    chat.log = said(1, 2)
    stream = Stream()
    asked = {"last-event-id": "1", **bearer}
    served = asyncio.create_task(stream.open(chat.rig.ingress.app, f"{path}/events", asked))
    await stream.until(b"id: 2\nevent: message\ndata: ")
    assert b"id: 1\n" not in stream.body
    chat.say(key, *said(3))
    await stream.until(b"id: 3\n")
    stream.close()
    await served


async def test_listeners_of_a_project_leave_room_and_who_only_looks_is_none(chat):
    path, _, bearer = await opened(chat)
    chat.log = said(1)
    chat.rig.ingress.attachments.listeners._shares.most = 2
    stream = Stream()
    served = asyncio.create_task(stream.open(chat.rig.ingress.app, f"{path}/events", bearer))
    await stream.until(b"id: 1\n")
    for query, more in (("?wait=5", {}), ("", {"accept": "text/event-stream"})):
        refused = await chat.rig.call("GET", f"{path}/events{query}", headers=bearer | more)
        assert (refused.status, "SWITCHHOOK_WAITING_CALLERS" in refused.json["detail"]) == (429, True)
    assert (await chat.rig.call("GET", f"{path}/events", headers=bearer)).status == 200
    stream.close()
    await served
    assert chat.rig.ingress.attachments.listeners._shares.used == 0


@pytest.mark.parametrize("room", [-1, 0], ids=["nothing", "the beginning"])
async def test_a_stream_that_is_not_read_gives_its_place_back(chat, monkeypatch, room):
    monkeypatch.setattr(listening, "STREAM_SECONDS", 0.05)
    monkeypatch.setattr(listening, "END_SECONDS", 0.05)
    monkeypatch.setattr(listening, "HEARTBEAT_SECONDS", 0.01)
    path, _, bearer = await opened(chat)
    chat.log = said(1)
    stream = Stream()
    stream.room = room
    async with asyncio.timeout(5):
        await stream.open(chat.rig.ingress.app, f"{path}/events", bearer)
    assert (stream.ended, chat.rig.ingress.attachments.listeners._shares.used) == (False, 0)


async def test_a_stream_ends_at_the_heartbeat_after_its_session(chat, monkeypatch):
    monkeypatch.setattr(listening, "HEARTBEAT_SECONDS", 0.01)
    path, key, bearer = await opened(chat)
    stream = Stream()
    served = asyncio.create_task(stream.open(chat.rig.ingress.app, f"{path}/events", bearer))
    await stream.until(b": beat\n\n")
    monkeypatch.setattr(webchat.time, "time", lambda: 10**10)
    chat.say(key, *said(1))
    async with asyncio.timeout(5):
        await served
    assert stream.ended
    assert b"m1" not in stream.body


async def test_an_old_session_is_opened_again_with_its_token_only(chat):
    path, _, bearer = await opened(chat)
    chat.log = said(1)
    again = await chat.rig.call("POST", SESSIONS, headers=bearer)
    assert again.json["session_id"] == path.rpartition("/")[2]
    assert (again.json["last_seq"], len(again.json["messages"])) == (1, 1)
