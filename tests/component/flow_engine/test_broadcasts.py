"""/v1/broadcasts: made, walked and applied over PostgreSQL, record by record, without Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from contracts.registry import Bot, Segment
from flow_engine.batch import broadcasting, reading_ahead
from flow_engine.errors import StaleConversation
from support.broadcasts import Sender, outcomes
from support.engine_world import PROJECT, flow


async def test_everybody_is_told_once_and_counted(sender: Sender) -> None:
    for peer in ("Ann", "Ben", "Cleo"):
        await sender.says(peer)
    done = await sender.until(made := await sender.make(entry="students"))
    assert (done["counts"]["recipients"], outcomes(done), done["walked"]) == (3, {"started": 3}, True)
    assert [await sender.heard(peer) for peer in ("Ann", "Ben", "Cleo")] == [
        ["Ann: Exams"],
        ["Ben: Exams"],
        ["Cleo: Exams"],
    ]
    found = await sender.recipients(made, limit=2)
    assert [one["outcome"] for one in found] == ["started"] * 3
    logged = [(await sender.http.get(f"/v1/events/{one['event_id']}")).json()["answer"] for one in found]
    assert sorted(logged) == ["Ann: Exams", "Ben: Exams", "Cleo: Exams"]
    launched = [one for one in sender.world.events("flow.launched") if one["bot"]["id"] == sender.bot]
    assert [one["trigger"] for one in launched] == [{"id": made["id"], "type": "broadcast"}] * 3
    assert not await sender.walker.look()


async def test_who_comes_to_be_later_is_not_in_it(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasting, "MOST_LOOKED_AT", 1)
    for peer in ("Ann", "Ben"):
        await sender.says(peer)
    made = await sender.make()
    await sender.walker.look()
    sender.world.at_ms = int(datetime.now(UTC).timestamp() * 1000) + 1000
    await sender.says("Late")
    done = await sender.until(made)
    assert (done["counts"]["recipients"], await sender.heard("Late")) == (2, [])


async def test_who_cannot_be_written_to_is_left_out_with_the_reason(sender: Sender) -> None:
    sender.world.view.put(Bot.model_validate({"id": sender.bot, "project_id": PROJECT, "name": "n", "opt_out": {}}))
    for peer in ("Ann", "Blocked", "Left", "Stopped"):
        await sender.says(peer)
    await sender.event("reachability", "Blocked", state="blocked")
    await sender.event("reachability", "Left", state="unsubscribed")
    await sender.says("Stopped", "stop")
    await sender.says("Stopped", "and still talks")
    await sender.says("Stopped elsewhere", profile={"external_id": "s"}, verified=["external_id"])
    await sender.says("Stopped elsewhere", "stop", "two", profile={"external_id": "s"}, verified=["external_id"])
    answer = await sender.http.post("/v1/contacts", json={"bot": sender.bot, "name": "Never wrote"})
    assert answer.status_code == 201
    done = await sender.until(made := await sender.make())
    assert outcomes(done) == {"started": 1, "skipped": 5}
    assert done["counts"]["reasons"] == {"skipped": {"blocked": 1, "unsubscribed": 3, "unreachable": 1}}
    left_out = await sender.recipients(made, outcome="skipped")
    assert Counter(one["reason"] for one in left_out) == {"blocked": 1, "unsubscribed": 3, "unreachable": 1}
    assert await sender.heard("Stopped elsewhere") == []


@pytest.mark.parametrize("leaving", ["a word", "the platform"])
async def test_who_left_while_the_start_was_on_its_way_is_not_told(sender: Sender, leaving: str) -> None:
    sender.world.view.put(Bot.model_validate({"id": sender.bot, "project_id": PROJECT, "name": "n", "opt_out": {}}))
    await sender.says("Ann")
    made = await sender.make()
    await sender.begin(1)
    (start,) = sender.world.waiting
    sender.world.waiting.clear()
    if leaving == "a word":
        await sender.says("Ann", "stop")
    else:
        await sender.event("reachability", "Ann", state="blocked")
    sender.world.lay(start.value, (start.key or b"").decode(), list(start.headers))
    await sender.world.settle()
    done = await sender.until(made)
    assert done["counts"]["reasons"] == {"skipped": {"unsubscribed" if leaving == "a word" else "blocked": 1}}
    assert "Ann: Exams" not in await sender.heard("Ann")


async def test_each_person_is_told_on_the_channel_last_used_or_on_the_one_that_is_asked_for(sender: Sender) -> None:
    ann = {"profile": {"external_id": "ann"}, "verified": ["external_id"]}
    await sender.says("Ann", **ann)
    sender.world.at_ms += 1000
    await sender.says("Ann2", channel="two", **ann)
    done = await sender.until(await sender.make())
    assert (done["counts"]["recipients"], outcomes(done)) == (1, {"started": 1})
    assert [len(await sender.heard("Ann")), len(await sender.heard("Ann2", "two"))] == [0, 1]
    await sender.until(await sender.make(channel_id=f"one-{sender.bot}"))
    assert [len(await sender.heard("Ann")), len(await sender.heard("Ann2", "two"))] == [1, 1]
    await sender.event("reachability", "Ann2", "two", state="blocked")
    await sender.until(await sender.make())
    assert [len(await sender.heard("Ann")), len(await sender.heard("Ann2", "two"))] == [2, 1]


@pytest.mark.parametrize("read", [1, 100])
@pytest.mark.parametrize("into", ["who was told", "who was not"])
async def test_who_is_merged_while_it_is_walked_is_told_once(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, into: str, read: int
) -> None:
    monkeypatch.setattr(broadcasting, "MOST_LOOKED_AT", 1)
    monkeypatch.setattr(reading_ahead, "READ_AT_ONCE", read)
    for peer in ("Ann", "Ann again"):
        await sender.says(peer)
        sender.world.at_ms += 1000
    made = await sender.make()
    while not await sender.heard("Ann again"):
        await sender.walker.look()
        await sender.world.settle()
    listed = (await sender.http.get("/v1/contacts", params={"bot": sender.bot})).json()["items"]
    told, other = (one["id"] for one in listed)
    kept, merged = (told, other) if into == "who was told" else (other, told)
    answer = await sender.http.post(f"/v1/contacts/{kept}/merge", json={"contact": merged})
    assert answer.status_code == 200, answer.text
    done = await sender.until(made)
    is_seen = into == "who was told" and read == 1  # Who was read before the merge has got a row by then.
    assert done["counts"]["reasons"] == ({} if is_seen else {"skipped": {"merged": 1}})
    assert [len(await sender.heard("Ann")), len(await sender.heard("Ann again"))] == [0, 1]


@pytest.mark.parametrize("on_their_way", [1, 2])
async def test_who_is_merged_while_starts_are_on_their_way_is_told_once(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, on_their_way: int
) -> None:
    monkeypatch.setattr(broadcasting, "MOST_LOOKED_AT", on_their_way)
    for peer in ("Ann", "Ann again"):
        await sender.says(peer)
        sender.world.at_ms += 1000
    made = await sender.make()
    await sender.begin(on_their_way)
    starts = list(sender.world.waiting)
    sender.world.waiting.clear()
    newer, older = (await sender.http.get("/v1/contacts", params={"bot": sender.bot})).json()["items"]
    answer = await sender.http.post(f"/v1/contacts/{older['id']}/merge", json={"contact": newer["id"]})
    assert answer.status_code == 200, answer.text
    for start in starts:
        sender.world.lay(start.value, (start.key or b"").decode(), list(start.headers))
    await sender.world.settle()
    done = await sender.until(made)
    assert (outcomes(done), done["counts"]["reasons"]) == ({"started": 1, "skipped": 1}, {"skipped": {"merged": 1}})
    assert len(await sender.heard("Ann")) + len(await sender.heard("Ann again")) == 1


@pytest.mark.parametrize(
    "filter", ["contact.variables.age < 30", "contact.name.size() == 3 && contact.variables.age < 30"]
)
async def test_a_segment_is_told_as_it_was_when_the_broadcast_was_made(sender: Sender, filter: str) -> None:
    for peer, age in (("Ann", 20), ("Ben", 40), ("Cle", 25), ("Without age", None)):
        await sender.says(peer)
        if age is not None:
            await sender.event("contact_update", peer, variables={"age": age})
    segment = Segment(id=f"young-{sender.bot}", project_id=PROJECT, name=f"young-{sender.bot}", filter=filter)
    sender.world.view.put(segment)
    made = await sender.make(segment=segment.name)
    assert made["segment_id"] == segment.id
    sender.world.view.put(segment.model_copy(update={"filter": "true"}))
    done = await sender.until(made)
    assert (done["counts"]["recipients"], outcomes(done)) == (2, {"started": 2})
    assert [len(await sender.heard(peer)) for peer in ("Ann", "Ben", "Cle", "Without age")] == [1, 0, 1, 0]


async def test_who_joins_or_leaves_the_segment_meanwhile_is_judged_when_the_walk_comes_to_them(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "MOST_LOOKED_AT", 1)
    monkeypatch.setattr(reading_ahead, "READ_AT_ONCE", 1)
    for peer in ("Joins", "Leaves", "Second", "Joins too late", "First"):
        await sender.says(peer)
        if peer in ("Leaves", "Second", "First"):
            await sender.event("contact_update", peer, add_tags=["vip"])
        sender.world.at_ms += 1000
    segment = Segment(id=f"s-{sender.bot}", project_id=PROJECT, name="vips", filter='"vip" in contact.tags')
    sender.world.view.put(segment)
    made = await sender.make(segment=segment.id)
    while not await sender.heard("Second"):
        await sender.walker.look()
        await sender.world.settle()
    for peer in ("Joins", "Joins too late"):
        await sender.event("contact_update", peer, add_tags=["vip"])
    for peer in ("Leaves", "First"):
        await sender.event("contact_update", peer, remove_tags=["vip"])
    done = await sender.until(made)
    assert (done["counts"]["recipients"], outcomes(done)) == (3, {"started": 3})
    told = [len(await sender.heard(peer)) for peer in ("First", "Joins too late", "Second", "Leaves", "Joins")]
    assert told == [1, 0, 1, 0, 1]


async def test_who_talks_with_an_agent_is_told_afterwards(sender: Sender) -> None:
    await sender.says("Ann")
    agent = {"id": "agent-1", "name": "Kim"}
    await sender.event("owner", "Ann", to="agent", by=agent, agent=agent)
    made = await sender.make()
    for _ in range(4):
        await sender.walker.look()
        await sender.world.settle()
    assert (outcomes(await sender.shown(made)), await sender.heard("Ann")) == ({"waiting": 1}, [])
    await sender.event("owner", "Ann", to="bot", by=agent)
    async with sender.pool.acquire() as connection:
        await connection.execute("UPDATE broadcast_recipient SET due = now() WHERE broadcast = $1", made["id"])
    assert outcomes(await sender.until(made)) == {"started": 1}


async def test_a_record_that_comes_again_and_a_walk_that_begins_anew_tell_nobody_twice(sender: Sender) -> None:
    await sender.says("Ann")
    await sender.until(made := await sender.make())
    starts = [one for one in sender.world.out("inbound") if made["id"].encode() in (one.value or b"")]
    assert len(starts) == 1
    async with sender.pool.acquire() as connection:  # As a restore leaves it: the walk is back, the rows are not all.
        await connection.execute("UPDATE broadcast SET state = 'running' WHERE id = $1", made["id"])
        await connection.execute(
            "UPDATE broadcast_walk SET last = NULL, walked = false, closed = false WHERE broadcast = $1", made["id"]
        )
        await connection.execute("UPDATE conversation SET seen = '' WHERE key = $1", sender.key("Ann"))
    sender.world.lay(starts[0].value, (starts[0].key or b"").decode(), list(starts[0].headers))
    await sender.world.settle()
    done = await sender.until(made)
    assert (len(await sender.heard("Ann")), done["counts"]["recipients"], outcomes(done)) == (1, 1, {"started": 1})


async def test_two_engines_that_walk_the_same_tell_nobody_twice(sender: Sender) -> None:
    for number in range(30):
        await sender.says(f"p{number}")
    made = await sender.make(rate=500)
    engines = [sender.walker, sender.another(), sender.another()]
    async with sender.pool.acquire() as connection:
        for turn in range(40):
            await connection.execute("UPDATE broadcast_walk SET lease_until = '-infinity'")
            await asyncio.gather(*(engine.look() for engine in engines[turn % 3 :]))
            await sender.world.settle()
    sender.walker = sender.another()
    await connection_free(sender)
    done = await sender.until(made)
    assert (done["counts"]["recipients"], outcomes(done)) == (30, {"started": 30})
    assert [len(await sender.heard(f"p{number}")) for number in range(30)] == [1] * 30


async def connection_free(sender: Sender) -> None:
    async with sender.pool.acquire() as connection:
        await connection.execute("UPDATE broadcast_walk SET lease_until = '-infinity'")


async def test_a_pause_holds_what_is_on_its_way_and_it_goes_on_where_it_was(sender: Sender) -> None:
    for peer in ("Ann", "Ben"):
        await sender.says(peer)
    made = await sender.make()
    await sender.begin(2)
    assert (await sender.turn(made, "pause"))["state"] == "paused"
    await sender.world.settle()
    paused = await sender.shown(made)
    assert (outcomes(paused), await sender.heard("Ann")) == ({"waiting": 2}, [])
    await sender.walker.look()
    assert not sender.world.waiting
    assert (await sender.turn(made, "resume"))["state"] == "running"
    done = await sender.until(made)
    assert (outcomes(done), len(await sender.heard("Ann")), len(await sender.heard("Ben"))) == ({"started": 2}, 1, 1)
    await sender.turn(made, "pause", expect=409)
    await sender.turn(made, "cancel", expect=409)


async def test_who_was_on_the_way_when_it_was_cancelled_is_not_told(sender: Sender) -> None:
    for peer in ("Ann", "Ben"):
        await sender.says(peer)
    made = await sender.make()
    await sender.begin(2)
    assert (await sender.turn(made, "cancel"))["state"] == "cancelled"
    await sender.world.settle()
    done = await sender.shown(made)
    assert (outcomes(done), await sender.heard("Ann")) == ({"cancelled": 2}, [])
    assert done["counts"]["reasons"] == {"cancelled": {"cancelled": 2}}
    assert (await sender.turn(made, "cancel"))["state"] == "cancelled"
    await sender.turn(made, "resume", expect=409)
    await sender.walker.look()
    assert not await sender.walker.look()


async def test_a_turn_that_was_made_before_the_cancel_is_not_saved_after_it(sender: Sender) -> None:
    await sender.says("Ann")
    made = await sender.make()
    await sender.begin(1)
    commit = await sender.world.compute()
    await sender.turn(made, "cancel")
    with pytest.raises(StaleConversation):
        async with sender.world.transaction() as connection:
            await commit.save(connection)
    await sender.world.settle()
    assert (outcomes(await sender.shown(made)), await sender.heard("Ann")) == ({"cancelled": 1}, [])


async def test_quiet_hours_put_people_off_in_their_own_time(sender: Sender) -> None:
    now = datetime.now(UTC)
    here, quiet = now.strftime("%H:%M"), (now + timedelta(hours=2)).strftime("%H:%M")
    await sender.says("Sleeper")
    await sender.says("Far", profile={"timezone": "Etc/GMT-6"})
    made = await sender.make(quiet_hours={"from": here, "to": quiet, "timezone": "Nowhere"}, expect=422)
    made = await sender.make(quiet_hours={"from": here, "to": quiet})
    for _ in range(5):
        await sender.walker.look()
        await sender.world.settle()
    shown = await sender.shown(made)
    assert (shown["state"], outcomes(shown)) == ("running", {"waiting": 1, "started": 1})
    (waiting,) = await sender.recipients(made, outcome="waiting")
    due = datetime.fromisoformat(waiting["due"])
    assert (due - now).total_seconds() == pytest.approx(7200, abs=90)
    async with sender.pool.acquire() as connection:
        await connection.execute("UPDATE broadcast SET quiet_hours = NULL WHERE id = $1", made["id"])
        await connection.execute(
            "UPDATE broadcast_recipient SET due = now() WHERE broadcast = $1 AND outcome = 'waiting'", made["id"]
        )
    assert outcomes(await sender.until(made)) == {"started": 2}
    assert (await sender.heard("Sleeper"), await sender.heard("Far")) == (["Sleeper: Exams"], ["Far: Exams"])


async def test_who_waits_when_its_time_is_over_is_cancelled(sender: Sender) -> None:
    now = datetime.now(UTC)
    await sender.says("Sleeper")
    night = {"from": now.strftime("%H:%M"), "to": (now + timedelta(hours=2)).strftime("%H:%M")}
    made = await sender.make(quiet_hours=night)
    for _ in range(3):
        await sender.walker.look()
    async with sender.pool.acquire() as connection:
        await connection.execute("UPDATE broadcast SET until = now() WHERE id = $1", made["id"])
    done = await sender.until(made, "expired")
    await sender.walker.look()
    done = await sender.shown(made)
    assert (outcomes(done), done["counts"]["reasons"]) == ({"cancelled": 1}, {"cancelled": {"expired": 1}})


async def test_who_is_in_the_middle_of_something_goes_on_with_it_afterwards(sender: Sender) -> None:
    await sender.says("Ann")
    await sender.until(await sender.make(entry="asking"))
    await sender.until(await sender.make(entry="students"))
    await sender.says("Ann", "yes")
    assert await sender.heard("Ann") == ["Coming?", "Ann: Exams", "Ann: Exams"]


async def test_a_condition_leaves_people_out_and_a_flow_that_is_gone_fails_them(sender: Sender) -> None:
    await sender.says("Ann")
    done = await sender.until(await sender.make(entry="adults"))
    assert done["counts"]["reasons"] == {"skipped": {"condition-not-met": 1}}
    made = await sender.make()
    id = f"flow-{sender.bot}"
    sender.world.view.put(flow("news", id=id, published=None).model_copy(update={"bot_id": sender.bot}))
    done = await sender.until(made)
    assert done["counts"]["reasons"] == {"failed": {"trigger-unpublished": 1}}
