"""Crashes, poison, failing conversations, restarts: nothing is lost, applied twice, or held up for others."""

from __future__ import annotations

from uuid import uuid4

import pytest

from contracts import dlq
from contracts.cloudevents import headers
from flow_engine.state.ids import conversation_id
from support.engine import RunningEngine
from support.engine_flows import LECTURE
from support.engine_world import AT, BOT, WEB, flow, flow_version
from support.waiting import eventually

KEY = f"{BOT}/{WEB}/p1"


class Crash(BaseException):
    """Passes every handler of errors, as the end of a process would."""


async def said(engine: RunningEngine, *expected: str, peer: str = "p1") -> bool:
    found = await engine.said(peer)
    assert found == list(expected)
    return True


async def dead(engine: RunningEngine, count: int) -> list[str]:
    """The codes of so many dead letters."""
    records = await engine.out("dlq")
    assert len(records) >= count
    return [(dict(record.headers)[dlq.ERROR_CODE] or b"").decode() for record in records]


async def test_poison_goes_to_the_dead_letters_and_does_not_hold_its_partition(engine: RunningEngine) -> None:
    good = headers(id="e1", type="inbound.message", source="test", time=AT)
    await engine.raw(b"not json", KEY, good)
    await engine.raw(b'{"kind": "message"}', KEY, good)
    await engine.raw(b"{}", KEY, headers(id="e2", type="inbound.unheard_of", source="test", time=AT))
    await engine.raw(b"{}", KEY, [*good, ("odd", b"\xff\xfe")])
    await engine.raw(b'"' + b"x" * 2_000_000 + b'"', KEY, good)
    await engine.say("hello?")
    await eventually(lambda: said(engine, "Sorry."))
    codes = await eventually(lambda: dead(engine, 5))
    assert sorted(codes) == ["bad-header", "not-json", "too-large", "unknown-type", "wrong-schema"]


async def test_a_failing_event_holds_its_conversation_and_no_other(engine: RunningEngine) -> None:
    await engine.say("/start")
    await eventually(lambda: said(engine, "Which lecture, ?"))
    assert engine.handler is not None
    bad = "6b1c2c64-0000-5000-8000-00000000000b"
    engine.handler.bugs[bad.encode()] = KeyError("a bug")
    await engine.say("what?", id=bad)
    await engine.say("Kafka")
    await engine.say("hello?", "p2")
    await eventually(lambda: said(engine, "Sorry.", peer="p2"), seconds=30)
    assert await eventually(lambda: dead(engine, 1)) == ["failed"]
    await eventually(lambda: held(engine, 2))
    assert await engine.said() == ["Which lecture, ?"]
    engine.handler.bugs.clear()
    await engine.send("redrive")
    await engine.say("hello?")
    await eventually(lambda: said(engine, "Which lecture, ?", "One of these, please.", "Kafka it is.", "Sorry."))
    assert await held(engine, 0)


async def held(engine: RunningEngine, count: int) -> bool:
    return bool(await engine.pool.fetchval("SELECT count(*) FROM held") == count)


@pytest.mark.parametrize("point", ["in_txn", "after_commit"])
async def test_a_crash_loses_and_repeats_nothing(
    engine: RunningEngine, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop dies before its commit, or between the commit and the publishing; another one takes over."""
    await engine.say("/start")
    await eventually(lambda: said(engine, "Which lecture, ?"))
    crashes = [point]

    async def crash(here: str) -> None:
        if crashes == [here]:
            crashes.clear()
            raise Crash

    for module in ("servicekit.loop.partition_loop", "servicekit.checkpoints.transactions"):
        monkeypatch.setattr(f"{module}.failpoint", crash)
    await engine.say("Kafka")
    await engine.died()
    assert not crashes
    await engine.start()
    await engine.say("/start")
    await eventually(lambda: said(engine, "Which lecture, ?", "Kafka it is.", "Which lecture, ?"), seconds=30)
    await eventually(lambda: all_out(engine))


@pytest.mark.parametrize("point", ["before_txn", "in_txn", "after_commit"])
@pytest.mark.parametrize("which", ["the contact", "the conversation"])
async def test_an_erasure_survives_a_crash_and_nothing_of_it_is_half(
    engine: RunningEngine, point: str, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop dies with either of its records, before the commit, in it, or before what it writes is published."""
    await engine.say("/start", profile={"name": "Anna"})
    await eventually(lambda: said(engine, "Which lecture, Anna?"))
    id = str(await engine.pool.fetchval("SELECT id FROM contact"))
    crashes = [point]

    async def crash(here: str) -> None:
        begun = await engine.pool.fetchval("SELECT count(*) FROM erasure_key WHERE erased_at IS NOT NULL")
        is_due = which == "the contact" or begun == (2 if here == "after_commit" else 1)
        if crashes == [here] and is_due:
            crashes.clear()
            raise Crash

    for module in ("servicekit.loop.partition_loop", "servicekit.checkpoints.transactions"):
        monkeypatch.setattr(f"{module}.failpoint", crash)
    job = str(uuid4())
    about = {"erasure": job, "contact_ids": [id], "begins": True, "received_at": "2026-11-21T00:05:00.000Z"}
    await engine.send("erase", "-", channel="-", key=f"{BOT}/-/{id}", **about)
    await engine.died()
    monkeypatch.undo()
    await engine.start("b")

    async def erased() -> bool:
        left = "SELECT (SELECT count(*) FROM conversation) + (SELECT count(*) FROM contact) + (SELECT count(*) FROM message)"
        keys = "SELECT count(*) = 2 AND count(erased_at) = 2 FROM erasure_key WHERE erasure = $1"
        return await engine.pool.fetchval(left) == 0 and bool(await engine.pool.fetchval(keys, job))

    await eventually(erased, seconds=30)

    async def told() -> bool:
        actions = {one["id"]: one["conversation"] for one in await engine.bodies("actions") if one["kind"] == "erase"}
        assert len(actions) <= 2
        return sorted(actions.values()) == sorted([f"{BOT}/-/{id}", f"{BOT}/{WEB}/p1"])

    await eventually(told, seconds=30)


async def all_out(engine: RunningEngine) -> bool:
    """Each message was told to the outside, whatever came twice has the same id."""
    told = {event["message"]["id"]: event["message"]["text"] for event in await engine.events("message.sent")}
    assert sorted(told.values()) == sorted(await engine.said())
    assert await engine.pool.fetchval("SELECT count(*) FROM outbox") == 0
    return True


async def test_a_crash_while_code_runs_loses_and_repeats_nothing(
    engine: RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop dies when it has committed that the code's turn is deferred; another one makes it."""
    document = {
        **LECTURE,
        "slug": "endless",
        "start": "code",
        "triggers": [{"id": "go", "type": "command", "value": "/endless", "to": "code"}],
        "nodes": {
            "code": {"type": "code", "source": "while True:\n    pass", "ports": {"error": "told"}},
            "told": {"type": "say", "parts": [{"text": "It took too long."}]},
        },
    }
    await engine.registry.put(flow_version(document, flow="flow-99"), flow("endless", id="flow-99"))
    await eventually(lambda: known(engine, "flow-99"))
    crashes = ["after_commit"]

    async def crash(here: str) -> None:
        if crashes == [here]:
            crashes.clear()
            raise Crash

    monkeypatch.setattr("servicekit.loop.partition_loop.failpoint", crash)
    await engine.say("/endless")
    await engine.died()
    assert await held(engine, 1)
    await engine.start("b")
    await engine.say("hello?")
    await engine.say("hello?", "p2")
    await eventually(lambda: said(engine, "It took too long.", "Sorry."), seconds=30)
    await eventually(lambda: said(engine, "Sorry.", peer="p2"))
    assert await held(engine, 0)


async def known(engine: RunningEngine, flow_id: str) -> bool:
    return engine.view.get("flow", flow_id) is not None


async def test_a_timer_survives_a_restart_and_fires_once(engine: RunningEngine) -> None:
    await engine.say("/later")
    await eventually(lambda: said(engine, "Soon."))
    await engine.stop()
    await engine.pool.execute("UPDATE timer SET due = now() WHERE due < now() + interval '1 hour'")
    await engine.start("b")
    await eventually(lambda: said(engine, "Soon.", "Here I am."), seconds=30)
    assert await engine.pool.fetchval("SELECT count(*) FROM timer") == 0
    records = [record for record in await engine.out("inbound") if b'"kind":"timer"' in (record.value or b"")]
    assert len(records) == 1


async def test_an_event_waits_for_the_flow_that_its_writer_knew(engine: RunningEngine) -> None:
    """The record names a registry offset that the view may not have reached."""
    document = {
        **LECTURE,
        "slug": "newer",
        "triggers": [{"id": "new", "type": "command", "value": "/new", "to": "kafka"}],
    }
    body = headers(id="6b1c2c64-0000-5000-8000-0000000000aa", type="inbound.message", source="test", time=AT)
    value = (
        b'{"kind":"message","project_id":"project-1","bot_id":"bot-1","channel_id":"web-1","channel_type":"webchat",'
        b'"peer_id":"p1","received_at":"2026-11-21T00:01:00.000Z","message_id":"1","text":"/new"}'
    )
    await engine.registry.put(flow_version(document, flow="flow-99"), flow("newer", id="flow-99"))
    known = str(engine.registry.offset).encode()
    await engine.raw(value, KEY, [*body, ("swh-registry-offset", known)])
    await eventually(lambda: said(engine, "Kafka it is."))


async def test_versions_are_checked_when_a_conversation_is_saved(engine: RunningEngine) -> None:
    """A row that another process changed meanwhile makes the batch start over; it is not overwritten."""
    await engine.say("/start")
    await eventually(lambda: said(engine, "Which lecture, ?"))
    await engine.pool.execute("UPDATE conversation SET version = version + 10 WHERE id = $1", conversation_id(KEY))
    await engine.say("Kafka")
    await eventually(lambda: said(engine, "Which lecture, ?", "Kafka it is."))
    assert await engine.pool.fetchval("SELECT version FROM conversation WHERE id = $1", conversation_id(KEY)) == 12
