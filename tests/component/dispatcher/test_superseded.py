"""An agent takes a conversation: what the bot has not said by then is never said, what the agent says is."""

from __future__ import annotations

from support.dispatcher import RunningDispatcher
from support.fake_telegram import FakeTelegram
from support.waiting import eventually


async def took_over(dispatcher: RunningDispatcher, epoch: int = 1) -> None:
    await dispatcher.act("supersede_messages", owner_epoch=epoch)


async def test_a_message_in_retry_and_those_behind_it_are_cancelled_and_the_agents_is_sent(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 500, "Internal Server Error", times=20)
    await dispatcher.start()
    retried, behind = await dispatcher.send("in retry", 1), await dispatcher.send("behind it", 2)
    await eventually(lambda: _states(dispatcher, {"retrying": 1, "blocked": 1}))
    await took_over(dispatcher)
    await eventually(lambda: _states(dispatcher, {"cancelled": 2}))
    telegram.forgive()
    await dispatcher.send("Hello, I am Kim.", 3, owner_epoch=1, agent_id="a1")
    await eventually(lambda: [body["text"] for body in telegram.messages] == ["Hello, I am Kim."])
    told = await eventually(lambda: _three(dispatcher))
    ended = {body["action_id"]: (body["outcome"], (body.get("error") or {}).get("type")) for body in told}
    assert (ended[retried], ended[behind]) == (("cancelled", "superseded"), ("cancelled", "superseded"))
    row = await dispatcher.row(retried)
    assert row is not None
    assert "agent took the conversation" in row["error"]


async def test_a_message_that_is_on_the_wire_is_sent_and_logged_and_the_agents_comes_after_it(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.answers.clear()
    await dispatcher.start()
    on_the_wire = await dispatcher.send("on the wire", 1)
    await eventually(lambda: telegram.arrived == 1)
    behind = await dispatcher.send("behind it", 2)
    await took_over(dispatcher)
    await dispatcher.send("Hello, I am Kim.", 3, owner_epoch=1, agent_id="a1")
    await eventually(lambda: _states(dispatcher, {"in_flight": 1, "blocked": 2}))
    telegram.answers.set()
    await eventually(lambda: _states(dispatcher, {"succeeded": 2, "cancelled": 1}))
    assert [body["text"] for body in telegram.messages] == ["on the wire", "Hello, I am Kim."]
    rows = [await dispatcher.row(id) for id in (on_the_wire, behind)]
    assert [row and row["state"] for row in rows] == ["succeeded", "cancelled"]


async def test_a_message_on_the_wire_that_fails_is_not_tried_again(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.answers.clear()
    telegram.fail_next("sendMessage", 500, "Internal Server Error")
    await dispatcher.start()
    await dispatcher.send("on the wire", 1)
    await eventually(lambda: telegram.arrived == 1)
    await took_over(dispatcher)
    await dispatcher.send("Hello", 2, owner_epoch=1, agent_id="a1")
    await eventually(lambda: _states(dispatcher, {"in_flight": 1, "blocked": 1}))
    telegram.answers.set()
    await eventually(lambda: _states(dispatcher, {"succeeded": 1, "cancelled": 1}))
    assert [body["text"] for body in telegram.messages] == ["Hello"]


async def test_what_an_agent_wrote_and_what_the_bot_says_later_is_sent(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 500, "Internal Server Error")
    await dispatcher.start()
    await dispatcher.send("The agent's last word", 1, owner_epoch=1, agent_id="a1")
    await eventually(lambda: _states(dispatcher, {"retrying": 1}))
    await took_over(dispatcher, 2)
    await dispatcher.send("The bot is back.", 2, owner_epoch=2)
    await eventually(lambda: _states(dispatcher, {"succeeded": 2}))
    assert [body["text"] for body in telegram.messages] == ["The agent's last word", "The bot is back."]


async def test_other_conversations_go_on(dispatcher: RunningDispatcher, telegram: FakeTelegram) -> None:
    telegram.fail_next("sendMessage", 500, "Internal Server Error")
    await dispatcher.start()
    await dispatcher.send("another person's", 1, peer="p2")
    await eventually(lambda: _states(dispatcher, {"retrying": 1}))
    await took_over(dispatcher)
    await eventually(lambda: _states(dispatcher, {"succeeded": 1}))


async def _states(dispatcher: RunningDispatcher, wanted: dict[str, int]) -> bool:
    return await dispatcher.states() == wanted


async def _three(dispatcher: RunningDispatcher) -> list[dict[str, object]] | None:
    told = await dispatcher.bodies("inbound")
    return told if len(told) == 3 else None
