"""Every door on real Kafka, with an engine that the test plays."""

from __future__ import annotations

import asyncio
from hashlib import sha256

from contracts import inbound
from contracts.links import HookLink
from contracts.partitioner import partition_for
from contracts.registry import Channel
from support.ingress_fakes import BOT, CHANNEL, PROJECT, trigger
from support.ingress_kafka import PARTITIONS, ingress_on, link_keys, put_token
from support.waiting import eventually

INBOUND, RUN = inbound.TOPIC.name, "/v1/run/trigger-1"
BODY = {"peer_id": 5, "variables": {"order_id": "7"}}
SESSIONS = "/v1/web/web-1/sessions"


async def test_a_post_is_in_the_log_when_it_is_answered(topics, shop, ingress):
    answer = await ingress.call("POST", RUN, json=BODY, headers=shop.bearer | {"prefer": "respond-async"})
    assert (answer.status, answer.json["status"]) == (202, "accepted")
    (start,) = await topics.arrived(INBOUND, 1)
    assert (start["peer_id"], start["entry"]) == ("5", "bought")
    record = topics.of(INBOUND)[0]
    assert record.partition == partition_for(record.key, PARTITIONS[INBOUND])
    headers = dict(record.headers)
    assert headers["ce_id"].decode() == answer.json["event_id"]
    assert int(headers["swh-registry-offset"]) == topics.registry.offset


async def test_the_engines_verdict_and_its_answer_come_back(topics, shop, ingress):
    problem = {
        "type": "peer-not-reachable",
        "title": "No",
        "status": 409,
        "detail": "Never wrote.",
        "reason": "has-not-talked",
    }
    topics.reply = lambda _: {"status": "rejected", "problem": problem}
    refused = await ingress.call("POST", RUN, json=BODY, headers=shop.bearer)
    assert (refused.status, refused.json["reason"]) == (409, "has-not-talked")
    topics.reply = lambda start: {"status": "started"} if start["reply_to"]["until"] == "verdict" else None
    started = await ingress.call("POST", RUN, json=BODY, headers=shop.bearer)
    assert (started.status, started.json["status"]) == (202, "started")
    topics.reply = lambda _: {"status": "waiting", "answer": "Which lecture?"}
    waited = await ingress.call("POST", RUN, json=BODY, headers=shop.bearer | {"prefer": "wait=20"})
    assert (waited.status, waited.json["answer"]) == (200, "Which lecture?")


async def test_a_deleted_token_is_refused_within_a_second(topics, shop, ingress):
    headers = shop.bearer | {"prefer": "respond-async"}
    assert (await ingress.call("POST", RUN, json=BODY, headers=headers)).status == 202
    await topics.registry.delete("token", shop.token_id, PROJECT)

    async def refused():
        return (await ingress.call("POST", RUN, json=BODY, headers=headers)).status == 401

    await eventually(refused, seconds=1)


async def test_a_trigger_made_a_moment_ago_works_at_once(topics, shop, ingress):
    for number in range(20):
        await topics.registry.put(trigger(shop.token_id).model_copy(update={"id": f"new-{number}"}))
        answer = await ingress.call(
            "POST", f"/v1/run/new-{number}", json=BODY, headers=shop.bearer | {"prefer": "respond-async"}
        )
        assert answer.status == 202


async def test_a_generated_url_answers_with_the_last_message(topics, shop, ingress):
    topics.reply = lambda opened: {"status": "completed", "answer": f"Got {opened['content']['order']}"}
    link = HookLink(link_id="l", bot_id=BOT, command="/onWebhook", registered=True)
    signed = link_keys().sign_link("w", PROJECT, link.model_dump(mode="json", exclude_none=True))
    answer = await ingress.call("GET", f"/v1/w/{signed}?order=7")
    assert (answer.status, answer.json) == (200, {"answer": "Got 7"})
    assert topics.of(INBOUND)[0].key == f"{BOT}/-/l".encode()


async def test_a_telegram_update_reaches_its_conversation(topics, shop, ingress):
    known = {"id": CHANNEL, "project_id": PROJECT, "bot_id": BOT, "name": "tg", "type": "telegram"}
    digests = {"inbound_sha256": sha256(b"rnd").hexdigest(), "secret_token_sha256": sha256(b"sec").hexdigest()}
    await topics.registry.put(Channel.model_validate(known | digests))
    await ingress.view.current()
    chat = {"id": 42, "type": "private", "first_name": "Ann"}
    update = {"update_id": 1, "message": {"message_id": 1, "chat": chat, "from": {"id": 42}, "text": "/start"}}
    secret = {"x-telegram-bot-api-secret-token": "sec"}
    answers = [await ingress.call("POST", f"/v1/in/{CHANNEL}/rnd", json=update, headers=secret) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    await topics.arrived(INBOUND, 2)
    first, second = topics.of(INBOUND)
    assert first.key == f"{BOT}/{CHANNEL}/42".encode()
    assert dict(first.headers)["ce_id"] == dict(second.headers)["ce_id"]


async def open_chat(ingress):
    session = (await ingress.call("POST", SESSIONS)).json
    return session["session_id"], {"authorization": f"Bearer {session['token']}"}


async def test_a_web_chat_is_served_by_any_replica(topics, shop, ingress):
    session, bearer = await open_chat(ingress)
    key = f"{BOT}/web-1/{session}"
    async with ingress_on(topics, instance="b") as other:
        polls = [
            asyncio.create_task(one.call("GET", f"{SESSIONS}/{session}/events?after=0&wait=20", headers=bearer))
            for one in (ingress, other)
        ]
        await eventually(lambda: len(topics.attached) == 2)
        body = {"client_message_id": "1", "text": "hello"}
        said = await other.call("POST", f"{SESSIONS}/{session}/messages", json=body, headers=bearer)
        assert said.status == 202
        await topics.say(key, "Which lecture?", "1 or 3")
        for answer in await asyncio.gather(*polls):
            assert [message["content"]["text"] for message in answer.json["messages"]] == ["Which lecture?", "1 or 3"]


async def test_a_visitor_who_comes_back_gets_what_was_said_meanwhile(topics, shop, ingress):
    session, bearer = await open_chat(ingress)
    key = f"{BOT}/web-1/{session}"
    await topics.say(key, *(f"m{number}" for number in range(1, 301)))
    after, seen = 0, []
    while len(seen) < 300:
        answer = await ingress.call("GET", f"{SESSIONS}/{session}/events?after={after}", headers=bearer)
        seen += [message["seq"] for message in answer.json["messages"]]
        after = answer.json["last_seq"]
    assert seen == list(range(1, 301))


async def test_the_bot_api_sees_its_own_sessions(topics, shop, ingress):
    talker = {"authorization": f"Bearer {(await put_token(topics, scopes=('bots:converse',))).text}"}
    path = f"/v1/talk/{BOT}/sessions"
    session = await ingress.call("POST", path, headers=talker)
    assert session.status == 201
    topics.reply = lambda message: {"status": "waiting", "answer": message["text"].upper()}
    answer = await ingress.call(
        "POST",
        f"{path}/{session.json['session_id']}/messages",
        json={"client_message_id": "1", "text": "hello"},
        headers=talker | {"prefer": "wait=20"},
    )
    assert (answer.status, answer.json["answer"]) == (200, "HELLO")
    await topics.say(f"{BOT}/http-1/{session.json['peer_id']}", "one")
    messages = await ingress.call("GET", f"{path}/{session.json['session_id']}/messages?wait=5", headers=talker)
    assert [message["content"]["text"] for message in messages.json["messages"]] == ["one"]


async def test_replicas_share_a_limit(topics, shop, ingress):
    limits = {"per_trigger": {"count": 10, "per_seconds": 600}}
    await topics.registry.put(ingress.view.get("project", PROJECT).model_copy(update={"rate_limits": limits}))
    async with ingress_on(topics, instance="b") as other:
        await eventually(lambda: ingress.asker.instances == other.asker.instances == 2)
        headers = shop.bearer | {"prefer": "respond-async"}
        statuses = [(await other.call("POST", RUN, json=BODY, headers=headers)).status for _ in range(12)]
    assert statuses.count(202) == 5


async def test_a_closed_session_is_closed_in_every_replica_and_after_a_restart(topics, shop, ingress):
    made = await put_token(topics, scopes=("bots:converse",))
    bearer, talk = {"authorization": f"Bearer {made.text}"}, f"/v1/talk/{BOT}/sessions"
    async with ingress_on(topics, instance="ingress-2") as other:
        session = (await ingress.call("POST", talk, json={}, headers=bearer)).json["session_id"]
        messages = f"{talk}/{session}/messages"
        assert (await other.call("GET", messages, headers=bearer)).status == 200
        assert (await ingress.call("DELETE", f"{talk}/{session}", headers=bearer)).status == 204

        async def refused():
            return (await other.call("GET", messages, headers=bearer)).status == 404

        await eventually(refused, seconds=1)
    async with ingress_on(topics, instance="ingress-3") as restarted:
        assert (await restarted.call("GET", messages, headers=bearer)).status == 404
