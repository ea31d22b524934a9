"""Records that Kafka has acknowledged and has no more, and calls that nobody can read: what waits for them ends all the same."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import orjson

from contracts import actions, inbound
from contracts.actions import CallApi, HttpRequest, action_type
from contracts.cloudevents import TYPE_PREFIX
from simulation.world import World
from support.log_in_memory import Written

CALLS = {action_type(CallApi).encode(): "api_call_id", action_type(HttpRequest).encode(): "url"}
"""Kinds of calls -> what one of them cannot be read without."""
TIMER = f"{TYPE_PREFIX}inbound.timer".encode()


class Losing:
    """What a log keeps (`LogInMemory.keeps`). `gone`: the share of batches of timers, and of calls, that are lost after they were
    acknowledged; `garbled`: of the calls that come as nobody can read them."""

    def __init__(self, world: World, gone: float, garbled: float) -> None:
        self._world, self._gone, self._garbled = world, gone, garbled
        self._chance = Random(f"losing {world.seed}")

    def __call__(self, topic: str, written: Sequence[Written]) -> Sequence[Written]:
        kinds = {dict(headers).get("ce_type") for _, _, headers in written}
        if not (
            kinds == {TIMER} if topic == inbound.TOPIC.name else topic == actions.TOPIC.name and kinds <= CALLS.keys()
        ):
            return written
        if self._chance.random() < self._gone:
            self._world.trace(f"{len(written)} records of {topic} are gone")
            if topic == actions.TOPIC.name:
                self._world.unanswered |= {(key or b"").decode().rpartition("/")[2] for key, _, _ in written}
            return []
        if topic == actions.TOPIC.name and self._chance.random() < self._garbled:
            self._world.trace(f"{len(written)} calls are garbled")
            return [(key, _unreadable(value, dict(headers)), headers) for key, value, headers in written]
        return written


def _unreadable(value: bytes | None, about: dict[str, bytes | None]) -> bytes:
    body = orjson.loads(value or b"{}")
    del body[CALLS[about["ce_type"] or b""]]
    return orjson.dumps(body)
