"""Messages to people: order, platforms' refusals, what the engine hears."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.inbound import InboundAdapter
from support.dispatcher import BOT, CHANNEL, RunningDispatcher, channel
from support.fake_telegram import FakeTelegram
from support.waiting import eventually


async def test_a_conversation_is_told_in_order_though_the_first_message_is_in_retry(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 500, "Internal Server Error", times=2)
    await dispatcher.start()
    for number in range(1, 6):
        await dispatcher.send(f"text {number}", number)
    await eventually(lambda: len(telegram.messages) == 5)
    assert [body["text"] for body in telegram.messages] == [f"text {number}" for number in range(1, 6)]


async def test_one_conversation_in_retry_does_not_hold_up_another(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 500, "Internal Server Error")
    await dispatcher.start()
    await dispatcher.send("first", 1, peer="p1")
    await eventually(lambda: telegram.calls)
    await dispatcher.send("other", 1, peer="p2")
    await eventually(lambda: len(telegram.messages) == 2)
    assert [body["text"] for body in telegram.messages] == ["other", "first"]


async def test_the_engine_hears_that_a_message_was_sent(dispatcher: RunningDispatcher, telegram: FakeTelegram) -> None:
    await dispatcher.start()
    id = await dispatcher.send("hello", 1, peer="77")
    [record] = await eventually(lambda: dispatcher.out("inbound"))
    result = InboundAdapter.validate_json(record.value or b"")
    assert record.key == f"{BOT}/{CHANNEL}/77".encode()
    assert (result.kind, result.action_id, result.outcome, result.provider_message_id) == (
        "message_result",
        id,
        "sent",
        "1",
    )
    assert telegram.messages == [{"chat_id": 77, "text": "hello"}]


async def test_a_picture_a_place_and_a_text_come_in_order_and_what_the_platform_has_not_is_refused(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    media = {"type": "image", "url": "https://shop.example.com/a.png"}
    await dispatcher.start()
    await dispatcher.send("", 1, peer="77", content={"text": "Look", "media": media})
    await dispatcher.send("", 2, peer="77", content={"text": "", "location": {"latitude": 1.5, "longitude": 2.5}})
    await dispatcher.send("", 3, peer="77", content={"text": "", "cards": [{"title": "Tea"}]})
    await dispatcher.send("end", 4, peer="77")
    results = await eventually(lambda: _results(dispatcher, 4))
    assert [(call.method, call.body) for call in telegram.calls] == [
        ("sendPhoto", {"chat_id": 77, "photo": media["url"], "caption": "Look"}),
        ("sendLocation", {"chat_id": 77, "latitude": 1.5, "longitude": 2.5}),
        ("sendMessage", {"chat_id": 77, "text": "end"}),
    ]
    outcomes = {body["seq"]: (body["outcome"], (body.get("error") or {}).get("type")) for body in results}
    assert outcomes == {1: ("sent", None), 2: ("sent", None), 3: ("failed", "not-shown"), 4: ("sent", None)}


async def test_a_person_who_blocked_the_bot_is_not_tried_again_and_the_engine_hears_of_it(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 403, "Forbidden: bot was blocked by the user")
    await dispatcher.start()
    await dispatcher.send("one", 1)
    await dispatcher.send("two", 2)
    failed, sent = await eventually(lambda: _results(dispatcher))
    assert (failed["outcome"], failed["unreachable"], failed["error"]["type"]) == ("failed", "blocked", "blocked")
    assert sent["outcome"] == "sent"
    assert len(telegram.calls) == 2


async def test_a_flood_limit_is_obeyed_by_the_chat_that_it_was_told_to(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 429, "Too Many Requests: retry after 3", {"retry_after": 3})
    await dispatcher.start()
    await dispatcher.send("limited", 1, peer="p1")
    await eventually(lambda: telegram.calls)
    await dispatcher.send("other person", 1, peer="p2")
    refused, other, again = await eventually(lambda: len(telegram.calls) == 3 and telegram.calls)
    assert [each["text"] for each in telegram.messages] == ["other person", "limited"]
    assert again.at - refused.at >= 2.9
    assert again.at - other.at > 1, "the other person has not waited for it"


async def test_a_flood_limit_that_every_chat_is_told_is_obeyed_by_the_whole_bot(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 429, "Too Many Requests: retry after 3", {"retry_after": 3}, times=3)
    await dispatcher.start()
    for number in range(3):
        await dispatcher.send("limited", 1, peer=f"p{number}")
        await eventually(lambda number=number: len(telegram.calls) == number + 1)  # type: ignore[misc]  # bound at once
    await dispatcher.send("other person", 1, peer="p9")
    await eventually(lambda: len(telegram.messages) == 4)
    *_, last_refused, first_sent = telegram.calls[:4]
    assert first_sent.at - last_refused.at >= 2.9


async def test_a_refused_token_pauses_the_channel_and_its_message_waits(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    """Until its entity changes. Seen: the message that was refused was given up at once."""
    telegram.fail_next("sendMessage", 401, "Unauthorized")
    await dispatcher.start()
    await dispatcher.send("refused", 1, peer="p1")
    [event] = await eventually(lambda: dispatcher.events("channel.paused"))
    assert event["channel"]["id"] == CHANNEL
    [for_the_registry] = await eventually(lambda: dispatcher.bodies("findings"))
    assert (for_the_registry["type"], for_the_registry["data"]) == ("channel.paused", event)
    await dispatcher.send("waits", 1, peer="p2")
    await eventually(lambda: _states(dispatcher, {"retrying": 1, "pending": 1}))
    await dispatcher.registry.put(channel(telegram.url).model_copy(update={"url": "https://t.me/conference_bot"}))
    await eventually(lambda: sorted(body["text"] for body in telegram.messages) == ["refused", "waits"])


async def test_what_a_paused_channel_has_to_send_waits_until_it_is_active(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    await dispatcher.registry.put(channel(telegram.url).model_copy(update={"state": "paused"}))
    await dispatcher.start()
    waiting = await dispatcher.send("waits", 1, peer="p1")
    await eventually(lambda: _is_put_off(dispatcher, waiting))
    assert telegram.messages == []
    await dispatcher.registry.put(channel(telegram.url))
    await eventually(lambda: [body["text"] for body in telegram.messages] == ["waits"])


@pytest.mark.seconds(60)
async def test_a_refusal_that_the_registry_has_marked_is_not_asked_for_again(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 401, "Unauthorized")
    await dispatcher.start()
    await dispatcher.send("refused", 1, peer="p1")
    await eventually(lambda: dispatcher.events("channel.paused"))
    await dispatcher.registry.put(channel(telegram.url).model_copy(update={"state": "paused"}))
    waiting = await dispatcher.send("waits", 1, peer="p2")
    await eventually(lambda: _is_put_off(dispatcher, waiting))
    assert telegram.messages == []
    await dispatcher.registry.put(channel(telegram.url))
    await eventually(lambda: sorted(body["text"] for body in telegram.messages) == ["refused", "waits"])


async def test_a_message_whose_flow_says_that_it_comes_too_late_is_not_sent_and_an_old_one_is(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    await dispatcher.start()
    await dispatcher.send("late", 1, expires="2020-01-01T00:00:00.000Z")
    await dispatcher.send("in time", 2, expires_at="2020-01-01T00:00:00.000Z")
    failed, sent = await eventually(lambda: _results(dispatcher))
    assert failed["error"]["type"] == "expired"
    assert sent["seq"] == 2
    assert [body["text"] for body in telegram.messages] == ["in time"]


async def test_buttons_replies_and_the_tap_that_is_answered(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    await dispatcher.start()
    buttons = {
        "text": "Which?",
        "buttons": [{"title": "Third", "payload": "b:3"}, {"title": "Site", "url": "https://e.com"}],
    }
    await dispatcher.send("", 1, content=buttons, callback_id="cb-1")
    await dispatcher.send("", 2, content={"text": "Or", "quick_replies": [{"title": "Yes"}]})
    await eventually(lambda: len(telegram.messages) == 2)
    assert [call.method for call in telegram.calls] == ["answerCallbackQuery", "sendMessage", "sendMessage"]
    inline, keyboard = (body["reply_markup"] for body in telegram.messages)
    assert inline["inline_keyboard"][0] == [{"text": "Third", "callback_data": "b:3"}]
    assert keyboard["keyboard"] == [[{"text": "Yes"}]]


async def test_a_group_that_moved_is_written_to_where_it_went(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": -100123})
    await dispatcher.start()
    await dispatcher.send("moved", 1, peer="-5")
    [body] = await eventually(lambda: telegram.messages)
    assert body["chat_id"] == -100123


async def test_no_credential_is_kept_in_the_log(dispatcher: RunningDispatcher, telegram: FakeTelegram) -> None:
    await dispatcher.start()
    id = await dispatcher.send("hello", 1)
    rows = await eventually(lambda: dispatcher.pool.fetch("SELECT * FROM attempt WHERE delivery_id = $1", id))
    kept = b"".join(row["request"] + (row["response"] or b"") for row in rows)
    assert telegram.calls[0].token.encode() not in kept
    assert b"/bot[hidden]/sendMessage" in kept


async def _results(dispatcher: RunningDispatcher, count: int = 2) -> list[dict[str, Any]]:
    """What the engine hears of so many messages. Each is published by itself, the later one perhaps first."""
    found = await dispatcher.bodies("inbound")
    assert len(found) == count
    return sorted(found, key=lambda body: int(body["seq"]))


async def _is_put_off(dispatcher: RunningDispatcher, id: str) -> bool:
    row = await dispatcher.row(id)
    return row is not None and row["attempts"] == 0 and (row["error"] or "").endswith("is paused.")


async def _states(dispatcher: RunningDispatcher, expected: dict[str, int]) -> bool:
    return await dispatcher.states() == expected
