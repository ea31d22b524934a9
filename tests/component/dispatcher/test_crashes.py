"""Deaths, hand-overs and repeats: nothing is lost, order holds, one delivery stays one."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from uuid import uuid4

import pytest

from support.dispatcher import CHANNEL, RunningDispatcher, api_call, endpoint
from support.fake_telegram import FakeTelegram
from support.receiver import Receiver
from support.waiting import eventually


async def died(child: subprocess.Popen[bytes]) -> None:
    assert await asyncio.to_thread(child.wait, 30) != 0


async def test_a_death_after_the_commit_and_before_the_send_loses_nothing(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    for number in range(1, 4):
        await dispatcher.send(f"text {number}", number)
    with dispatcher.process("kill=1@before_send", session_timeout_seconds=6) as child:
        await died(child)
    assert telegram.calls == []
    await dispatcher.start()
    await eventually(lambda: len(telegram.messages) == 3, seconds=30)
    assert [body["text"] for body in telegram.messages] == ["text 1", "text 2", "text 3"]


async def test_a_death_after_the_send_and_before_the_record_repeats_the_request_under_its_id(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added"))
    await dispatcher.event("tag.added")
    with dispatcher.process("kill=1@before_record", lease_seconds=5) as child:
        await died(child)
    assert len(sink.requests) == 1
    await dispatcher.start()
    first, second = await eventually(lambda: len(sink.requests) == 2 and sink.requests, seconds=30)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    await eventually(lambda: _all(dispatcher, "succeeded", 1))


async def test_a_death_after_the_record_and_before_the_publish_does_not_lose_a_calls_result(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(api_call("api-1", f"{sink.url}/x"))
    sink.answer("/x", 200, {"memory": {"a": 1}})
    await dispatcher.act("call_api", api_call_id="api-1", wait="w1", channel_id=CHANNEL, peer_id="p1")
    with dispatcher.process("kill=1@after_record") as child:
        await died(child)
    assert await dispatcher.bodies("inbound") == []
    await dispatcher.start()
    [body] = await eventually(lambda: dispatcher.bodies("inbound"), seconds=30)
    assert (body["wait"], body["body"]) == ("w1", {"memory": {"a": 1}})
    assert len(sink.requests) == 1


async def test_a_retry_outlives_a_restart(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added", schedule_seconds=(3,)))
    sink.fail_next("/x", 500)
    await dispatcher.start()
    await dispatcher.event("tag.added")
    await eventually(lambda: _all(dispatcher, "retrying", 1))
    await dispatcher.stop()
    await dispatcher.start()
    await eventually(lambda: _all(dispatcher, "succeeded", 1), seconds=30)
    assert [request.status for request in sink.requests] == [500, 204]


async def test_order_holds_when_the_partition_moves_while_the_first_message_is_in_retry(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    telegram.fail_next("sendMessage", 500, "Internal Server Error", times=2)
    with dispatcher.process() as child:
        for number in range(1, 4):
            await dispatcher.send(f"text {number}", number)
        await eventually(lambda: telegram.calls, seconds=30)
        child.kill()
    await dispatcher.start("b")
    await dispatcher.send("text 4", 4)
    await eventually(lambda: len(telegram.messages) == 4, seconds=40)
    assert [body["text"] for body in telegram.messages] == [f"text {number}" for number in range(1, 5)]


async def test_two_replicas_keep_the_order_of_every_conversation(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    await dispatcher.start("a")
    await dispatcher.start("b")
    for number in range(1, 6):
        for peer in range(10):
            await dispatcher.send(f"{peer}/{number}", number, peer=str(peer))
    await eventually(lambda: len(telegram.messages) == 50, seconds=40)
    for peer in range(10):
        texts = [body["text"] for body in telegram.messages if body["chat_id"] == peer]
        assert texts == [f"{peer}/{number}" for number in range(1, 6)]


async def test_the_same_action_written_again_is_one_delivery(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    """As a late zombie writes it: by its source, or (a redrive names none of the old) by its day and id."""
    await dispatcher.start()
    id = str(uuid4())
    await dispatcher.post(f"{sink.url}/x", id=id)
    await eventually(lambda: sink.requests)
    dispatcher.offsets["inbound"] -= 1
    await dispatcher.post(f"{sink.url}/x", id=id)
    await dispatcher.post(f"{sink.url}/x", id=id)
    await dispatcher.post(f"{sink.url}/after")
    await eventually(lambda: sink.requests_to("/after"))
    assert len(sink.requests_to("/x")) == 1
    assert await dispatcher.pool.fetchval("SELECT count(*) FROM delivery WHERE id = $1", id) == 1


async def test_without_first_attempts_everything_goes_through_a_claim(
    dispatcher: RunningDispatcher, sink: Receiver, telegram: FakeTelegram
) -> None:
    await dispatcher.start(first_attempts=False)
    for number in range(1, 4):
        await dispatcher.send(f"text {number}", number)
    await dispatcher.post(f"{sink.url}/x")
    await eventually(lambda: len(telegram.messages) == 3 and sink.requests)
    assert [body["text"] for body in telegram.messages] == ["text 1", "text 2", "text 3"]


async def _all(dispatcher: RunningDispatcher, state: str, count: int) -> bool:
    return await dispatcher.states() == {state: count}


async def test_lost_connections_to_postgres_cost_nothing_but_time(
    dispatcher: RunningDispatcher, sink: Receiver, telegram: FakeTelegram
) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added"))
    await dispatcher.start()
    for number in range(1, 31):
        await dispatcher.event("tag.added", number=number)
        await dispatcher.send(f"text {number}", number)
        if number % 10 == 0:
            await dispatcher.pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE 'dispatcher/%'"
            )
    await eventually(lambda: _all(dispatcher, "succeeded", 60), seconds=40)
    texts = list(dict.fromkeys(body["text"] for body in telegram.messages))
    assert texts == [f"text {number}" for number in range(1, 31)]
    assert len({request.headers["webhook-id"] for request in sink.requests}) == 30


@pytest.mark.seconds(30)
async def test_a_process_that_stood_still_longer_than_its_lease_sends_nothing_of_what_it_held(
    dispatcher: RunningDispatcher, telegram: FakeTelegram
) -> None:
    """Frozen between the lease and the socket write: another has sent it meanwhile."""
    frozen = {"session_timeout_seconds": 2, "lease_seconds": 3}
    with dispatcher.process("freeze=1:7s@before_send", instance="frozen", **frozen) as child:
        await dispatcher.send("once", 1)
        await eventually(lambda: _all(dispatcher, "in_flight", 1), seconds=30)
        await dispatcher.start("b", **frozen)
        await eventually(lambda: telegram.messages, seconds=30)
        await dispatcher.send("next", 2)
        await eventually(lambda: len(telegram.messages) == 2, seconds=30)
        with contextlib.suppress(subprocess.TimeoutExpired):  # Time to wake, and to send what it must not.
            await asyncio.to_thread(child.wait, 6)
    assert [body["text"] for body in telegram.messages] == ["once", "next"]


@pytest.mark.parametrize("point", ["before_txn", "in_txn", "after_commit"])
async def test_an_erasure_survives_a_death_and_the_engine_is_told(
    dispatcher: RunningDispatcher, sink: Receiver, point: str
) -> None:
    contact, erasure = str(uuid4()), str(uuid4())
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added", schedule_seconds=(3600,)))
    sink.answer("/x", 500)
    await dispatcher.start()
    await dispatcher.event("tag.added", contact={"id": contact, "name": "Anna"})
    await eventually(lambda: _all(dispatcher, "retrying", 1))
    await dispatcher.stop()
    await dispatcher.act("erase", erasure=erasure, contact_ids=[contact])
    with dispatcher.process(f"kill=1@{point}") as child:
        await died(child)
    await dispatcher.start()
    await eventually(lambda: _all(dispatcher, "cancelled", 1), seconds=30)
    assert await dispatcher.pool.fetchval("SELECT count(*) FROM attempt") == 0

    async def told() -> bool:
        return {one["erasure"] for one in await dispatcher.bodies("inbound")} == {erasure}

    await eventually(told, seconds=30)
