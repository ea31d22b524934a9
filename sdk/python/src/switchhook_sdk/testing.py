"""For the unit tests of programs: FastStream's test broker, and an installation that is played on it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from faststream.kafka import KafkaBroker, TestKafkaBroker
from pydantic import TypeAdapter

from contracts import cloudevents, events
from contracts.commands import Command
from contracts.event_types import EVENTS
from contracts.ids import new_id
from switchhook_sdk.batches import read_batches
from switchhook_sdk.event import headers_of
from switchhook_sdk.switchhook import Switchhook

SOME_PROJECT = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e05"
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


class Played:
    """What a test sees of the installation. `commands`: those that were sent, in order.

    `problem`: what commands are rejected with, `{"type": "peer-not-reachable", "status": 409}`; None: they are accepted.
    """

    def __init__(self, switchhook: Switchhook, broker: KafkaBroker) -> None:
        self.commands: list[Command] = []
        self.problem: Mapping[str, Any] | None = None
        self._switchhook, self._broker, self._at_work = switchhook, broker, True

    async def emit(self, type: str, data: Mapping[str, Any] | None = None, *, id: str | None = None) -> str:
        """Let an event happen, and return its id once the handlers are done. Raises what a handler raises.

        `data` is put over the sample of the type that docs/reference/events.md shows. The same `id` makes a repeat.
        """
        id, now = id or new_id(), cloudevents.now_text()
        event = events.Event(type=type, timestamp=now, data={**EVENTS[type].sample, **(data or {})})
        project = self._switchhook.project or SOME_PROJECT
        made = cloudevents.headers(id=id, type=type, source="switchhook/test", time=now, project=project)
        await self._broker.publish(
            event.encode(),
            self._switchhook.events_topic,
            key=id.encode(),
            headers={name: value.decode() for name, value in made},
        )
        return id

    async def take(self, batch: Any) -> None:
        """Take commands as ingress does."""
        batch.clear_cache()
        for record in batch.raw_message if self._at_work else ():
            command = _COMMAND.validate_json(record.value)
            self.commands.append(command)
            told = {"kind": command.kind, "id": (headers_of(record)["ce_id"] or b"").decode()}
            if self.problem is not None:
                await self.emit("command.rejected", {"command": told, "problem": dict(self.problem)})
            else:
                status = "started" if command.kind == "start" else "accepted"
                await self.emit("command.accepted", {"command": told, "status": status})

    def close(self) -> None:
        """Take nothing more: FastStream may keep the subscriber for a while."""
        self._at_work = False


@contextlib.asynccontextmanager
async def played(switchhook: Switchhook, broker: KafkaBroker | None = None) -> AsyncIterator[Played]:
    """The program's broker under TestKafkaBroker, and Switchhook played behind it. `broker`: needed where a router declares."""
    broker = broker or switchhook.broker
    installation = Played(switchhook, broker)
    # Not persistent: FastStream forgets it with this reference.
    subscriber = read_batches(broker, switchhook.commands_topic, installation.take, persistent=False)
    try:
        async with TestKafkaBroker(broker, connect_only=False):
            yield installation
    finally:
        installation.close()
        del subscriber
