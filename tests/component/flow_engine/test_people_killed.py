"""An engine's process is killed at the steps of an erasure, a takeover, a broadcast and a schedule: it goes on, nothing twice, nothing half."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts.cloudevents import rfc3339
from contracts.ids import derived_id
from contracts.registry import Schedule
from flow_engine.store import broadcasts
from flow_engine.store.broadcasts import NewBroadcast
from support.engine import RunningEngine, engine_on
from support.engine_flows import LECTURE
from support.engine_world import BOT, FLOW, PROJECT, flow, flow_version
from support.waiting import eventually

BEFORE = "2026-11-21T00:01:30.000Z"
"""The tests' records are received a little earlier."""
PEOPLE = 12


@pytest.fixture
async def engine(kafka: str, database: str) -> AsyncIterator[RunningEngine]:
    """Not at work yet."""
    async with engine_on(kafka, database, LECTURE) as made:
        yield made


@pytest.mark.seconds(120)
async def test_of_two_agents_who_take_a_conversation_from_an_engine_that_is_killed_the_first_has_it(
    engine: RunningEngine,
) -> None:
    """It dies before the commit of the message's turn and of both takeovers, and between that commit and the publishing;
    meanwhile both are sent again."""
    kim, lee = {"id": "a1", "name": "Kim"}, {"id": "a2", "name": "Lee"}
    await engine.say("hello?")
    taken = [await engine.send("owner", to="agent", by=agent) for agent in (kim, lee)]
    await engine.killed("in_txn")
    assert await count(engine, "conversation") == 0
    await engine.killed("after_commit")
    assert await count(engine, "conversation") == 1
    assert await engine.out("events") == []
    for agent, id in ((lee, taken[1]), (kim, taken[0])):
        await engine.send("owner", id=id, to="agent", by=agent)
    await engine.start()
    for agent in (kim, lee):
        await engine.send("agent_message", agent=agent, text=f"Hello, I am {agent['name']}.")
    await engine.say("hello?")
    await engine.send("owner", to="bot", by=kim)
    await engine.say("hello?")
    await eventually(lambda: said(engine, "Sorry.", "Hello, I am Kim.", "Sorry."), seconds=30)
    await eventually(lambda: is_quiet(engine))
    told = {event["message"]["id"]: event["message"]["text"] for event in await engine.events("message.sent")}
    assert sorted(told.values()) == sorted(await engine.said())
    assert len({event["event_id"] for event in await engine.events("live_chat.opened")}) == 1
    assert len({event["event_id"] for event in await engine.events("live_chat.closed")}) == 1


@pytest.mark.seconds(120)
async def test_a_person_whom_an_engine_erases_that_is_killed_is_erased_whole(engine: RunningEngine) -> None:
    """It dies at the contact's record, and at that of the conversation; what came before is sent again in the end."""
    first = await engine.say("hello?", profile={"name": "Anna"})
    await engine.start()
    await eventually(lambda: said(engine, "Sorry."), seconds=30)
    await eventually(lambda: is_quiet(engine))
    await engine.stop()
    contact = str(await engine.pool.fetchval("SELECT id FROM contact"))
    erasure = {"erasure": derived_id("erasure", contact), "contact_ids": [contact], "begins": True}
    about: dict[str, Any] = {"id": str(uuid4()), "channel": "-", "key": f"{BOT}/-/{contact}", "received_at": BEFORE}
    await engine.send("erase", "-", **about, **erasure)
    await engine.killed("in_txn")
    assert (await count(engine, "contact"), await count(engine, "erasure")) == (1, 0)
    await engine.killed("after_commit")
    assert (await count(engine, "contact"), await count(engine, "conversation")) == (0, 1)
    assert await engine.events("contact.erased") == []
    await engine.killed("in_txn")
    assert await count(engine, "conversation") == 1
    await engine.killed("after_commit")
    assert await count(engine, "conversation") == 0
    await engine.send("erase", "-", **about, **erasure)
    await engine.say("hello?", id=first, profile={"name": "Anna"})
    await engine.say("hello again", profile={"name": "Anna"})
    await engine.say("hello?", peer="p2")
    await engine.start()
    await eventually(lambda: said(engine, "Sorry.", peer="p2"), seconds=30)
    await eventually(lambda: is_quiet(engine))
    assert (await count(engine, "contact"), await count(engine, "message")) == (1, 2)
    erased = [record for record in await engine.out("events") if b"contact.erased" in (record.value or b"")]
    assert len({dict(record.headers)["ce_id"] for record in erased}) == 1
    told = {one["id"]: one["conversation"] for one in await engine.bodies("actions") if one["kind"] == "erase"}
    assert Counter(told.values()).keys() == {f"{BOT}/-/{contact}", f"{BOT}/web-1/p1"}
    assert await engine.pool.fetchval("SELECT bool_and(erased_at IS NOT NULL) FROM erasure_key")


@pytest.mark.seconds(120)
async def test_whom_an_engine_tells_of_a_broadcast_that_is_killed_is_told_once(engine: RunningEngine) -> None:
    """It dies in the walk's step and after it, and in the turns that the starts make and after them."""
    peers = [f"p{number}" for number in range(PEOPLE)]
    await all_greeted(engine, peers)
    id = await broadcast(engine)
    await killed_and_let_go(engine, "broadcast_noted")
    assert await count(engine, "broadcast_recipient") == 0
    await killed_and_let_go(engine, "after_commit")
    assert await outcomes(engine) == {"sending": PEOPLE}
    await killed_and_let_go(engine, "in_txn")
    assert await outcomes(engine) == {"sending": PEOPLE}
    await killed_and_let_go(engine, "after_commit")
    assert (await outcomes(engine))["started"] > 0
    with engine.process(""):
        await eventually(lambda: is_completed(engine, id), seconds=30)
        await eventually(lambda: is_quiet(engine))
    assert await outcomes(engine) == {"started": PEOPLE}
    assert await all_said(engine, peers, "Sorry.", "Paid: 7")
    counted = await engine.pool.fetch("SELECT outcome, sum(recipients) AS n FROM broadcast_count GROUP BY 1")
    assert [tuple(row) for row in counted] == [("started", PEOPLE)]
    launched = {
        event["event_id"] for event in await engine.events("flow.launched") if event["trigger"]["type"] == "broadcast"
    }
    assert len(launched) == PEOPLE


@pytest.mark.seconds(60)
async def test_whom_an_engine_tells_at_a_moment_of_a_schedule_that_is_killed_is_told_once(
    engine: RunningEngine,
) -> None:
    """It dies before the moment is settled, and right after; nine moments are missed by more than the grace."""
    peers = [f"p{number}" for number in range(3)]
    await all_greeted(engine, peers)
    moment = await schedule(engine)
    await engine.killed("schedule_made")
    assert (await count(engine, "broadcast"), await count(engine, "schedule")) == (0, 0)
    await killed_and_let_go(engine, "broadcast_chosen")
    assert (await count(engine, "broadcast"), await count(engine, "schedule")) == (1, 1)
    assert await outcomes(engine) == {}
    with engine.process(""):
        await eventually(lambda: all_said(engine, peers, "Sorry.", f"It is {moment}."), seconds=30)
        await eventually(lambda: is_quiet(engine))
        await eventually(lambda: all_are(engine, "completed"), seconds=30)
    assert await outcomes(engine) == {"started": len(peers)}
    assert [tuple(row) for row in await engine.pool.fetch("SELECT skipped FROM schedule")] == [(9,)]
    launched = [one for one in await engine.events("flow.launched") if one["trigger"]["type"] == "schedule"]
    assert len({one["event_id"] for one in launched}) == len(peers)


async def schedule(engine: RunningEngine) -> str:
    """The flow was published ten hours ago and is due once an hour, last five minutes ago; when that was."""
    moment = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    trigger = {"id": "hourly", "type": "schedule", "cron": f"{moment.minute} * * * *", "to": "tell"}
    nodes = LECTURE["nodes"] | {"tell": {"type": "say", "parts": [{"text": "It is {{ event.variables.moment }}."}]}}
    document = LECTURE | {"triggers": [*LECTURE["triggers"], trigger], "nodes": nodes}
    due = Schedule(trigger="hourly", cron=trigger["cron"], timezone="UTC", grace="PT1H", rate=500.0)
    published = flow(LECTURE["slug"], published=2).model_copy(
        update={"schedules": (due,), "published_at": rfc3339(moment - timedelta(hours=9, minutes=30))}
    )
    await engine.registry.put(flow_version(document, version=2), published)
    return rfc3339(moment)


async def all_are(engine: RunningEngine, state: str) -> bool:
    return bool(await engine.pool.fetchval("SELECT bool_and(state = $1) FROM broadcast", state))


async def killed_and_let_go(engine: RunningEngine, point: str) -> None:
    """The next one need not wait until the dead one's lease is over."""
    await engine.killed(point)
    await engine.pool.execute("UPDATE broadcast_walk SET lease_until = now()")


async def broadcast(engine: RunningEngine) -> str:
    """To all of the bot's people, who are few enough for one step."""
    now, id = datetime.now(UTC), str(uuid4())
    async with engine.pool.acquire() as connection:
        await broadcasts.make(
            connection,
            NewBroadcast(
                id, PROJECT, BOT, FLOW, "bought", b'{"order_id":"7"}', None, None, None, 500.0, None, now,
                now + timedelta(hours=1), None,
            ),
        )  # fmt: skip
    return id


async def outcomes(engine: RunningEngine) -> dict[str, int]:
    rows = await engine.pool.fetch("SELECT outcome, count(*) AS n FROM broadcast_recipient GROUP BY 1")
    return {row["outcome"]: row["n"] for row in rows}


async def is_completed(engine: RunningEngine, id: str) -> bool:
    return bool(await engine.pool.fetchval("SELECT state = 'completed' FROM broadcast WHERE id = $1", id))


async def count(engine: RunningEngine, table: str) -> Any:
    return await engine.pool.fetchval(f"SELECT count(*) FROM {table}")


async def is_quiet(engine: RunningEngine) -> bool:
    """Kafka has all that was committed."""
    return bool(await count(engine, "outbox") == 0)


async def said(engine: RunningEngine, *expected: str, peer: str = "p1") -> bool:
    return list(expected) == await engine.said(peer)


async def all_greeted(engine: RunningEngine, peers: list[str]) -> None:
    """Everybody has written and was answered, and the engine is stopped."""
    for peer in peers:
        await engine.say("hello?", peer)
    await engine.start()
    await eventually(lambda: all_said(engine, peers, "Sorry."), seconds=30)
    await eventually(lambda: is_quiet(engine))
    await engine.stop()


async def all_said(engine: RunningEngine, peers: list[str], *expected: str) -> bool:
    return all([await said(engine, *expected, peer=peer) for peer in peers])
