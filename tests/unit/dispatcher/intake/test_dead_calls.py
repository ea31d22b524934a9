"""A call that cannot become a delivery is answered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from contracts.actions import CallApi, SendMessage, action_type
from contracts.cloudevents import headers
from contracts.inbound import InboundAdapter
from dispatcher.intake.actions_handler import ActionsHandler
from dispatcher.intake.dead_calls import answer
from dispatcher.intake.decoding import ActionDecoder, DayWindow
from dispatcher.kinds.table import DELIVERY_KINDS
from servicekit.kafka.records import Record
from servicekit.loop.batches import Batch, Commit, DeadRecord

KEY = "bot-1/web-1/p1"
CALL: dict[str, Any] = {
    "id": "6b1c2c64-0000-5000-8000-000000000001",
    "project_id": "project-1",
    "wait": "w1",
    "hops": 2,
}


def record(value: bytes, model: Any = CallApi, key: bytes | None = KEY.encode()) -> Record:
    about = headers(id="a", type=action_type(model).removeprefix("dev.switchhook."), source="test", time="now")
    return Record("actions", 0, 1, 1, key, value, tuple(about))


@pytest.mark.parametrize("type", ["action.call_api", "action.http_request", "action.of_tomorrow"])
def test_who_waits_for_it_gets_an_error(type: str) -> None:
    about = headers(id="a", type=type, source="test", time="now")
    dead = Record("actions", 0, 1, 1, KEY.encode(), orjson.dumps(CALL), tuple(about))
    (made,) = answer(dead, "It could not be made.")
    body = InboundAdapter.validate_json(made.value or b"")
    assert (made.topic, made.key) == ("switchhook.inbound.v1", KEY.encode())
    assert (body.kind, body.outcome, body.wait, body.action_id, body.peer_id, body.hops) == (
        "call_result", "error", "w1", CALL["id"], "p1", 2
    )  # fmt: skip
    assert (body.error.type, body.error.detail) == ("dead-letter", "It could not be made.")


@pytest.mark.parametrize(
    "dead",
    [
        record(orjson.dumps({name: value for name, value in CALL.items() if name != "wait"}), SendMessage),
        record(b"not json"),
        record(b"[1]"),
        record(orjson.dumps(CALL | {"wait": 7})),
        record(orjson.dumps({**CALL, "id": None})),
        record(orjson.dumps(CALL), key=b"\xff"),
        record(orjson.dumps(CALL), key=None),
    ],
    ids=["a message", "not json", "a list", "bad wait", "no id", "bad key", "no key"],
)
def test_what_names_nobody_who_waits_has_no_answer(dead: Record) -> None:
    assert answer(dead, "why") == []


async def test_a_call_that_cannot_be_read_is_answered() -> None:
    takeover: Any = SimpleNamespace(commit=no_deliveries)
    store: Any = None
    handler = ActionsHandler(store, takeover, DayWindow(30), ActionDecoder(DELIVERY_KINDS.values()))
    dead = record(orjson.dumps(CALL))
    commit = await handler.apply(Batch([dead, record(b"not json")], {0: 1}))
    assert [letter.code for letter in commit.dead] == ["wrong-schema", "not-json"]
    ((cause, made),) = commit.outgoing
    assert (cause, [one.topic for one in made]) == (dead, ["switchhook.inbound.v1"])
    connection: Any = None
    parked = await handler.park(dead, KeyError("a bug"), connection)
    assert [one.key for one in parked] == [KEY.encode()]


async def no_deliveries(deliveries: list[Any], dead: list[DeadRecord], superseded: dict[str, int]) -> Commit:
    return Commit(dead=dead)
