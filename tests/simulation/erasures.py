"""People who are erased while they write: what was planted is gone, and nothing from before brings anybody back."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from contracts import events
from contracts.cloudevents import rfc3339
from contracts.ids import derived_id
from flow_engine.state.ids import conversation_id
from simulation.desk import Desk
from simulation.desk_registry import DESK
from simulation.world import World

FIRST_CHAT = 940
AFTER_SECONDS = 0.5


class Erasures:
    """So many people; every other one writes again later, and is somebody else by then."""

    def __init__(self, world: World, people: int) -> None:
        self._world, self._desk = world, Desk(world, "erasures")
        self._chats = range(FIRST_CHAT, FIRST_CHAT + people)
        self._erased: dict[int, str] = {}
        """Chat -> the contact that was erased."""
        self._anew: set[int] = set()
        """Who wrote again once all was erased: a message in between is erased, too."""

    async def bring(self, seconds: float) -> None:
        """All of them, within so many seconds; who is not there yet is waited for."""
        await asyncio.gather(*(self._person(chat, seconds) for chat in self._chats))

    async def _person(self, chat: int, seconds: float) -> None:
        desk, chance, pause = self._desk, self._desk.chance, seconds / 4
        desk.say(DESK, chat, f"planted {chat}", profile={"name": f"Planted {chat}"})
        desk.say(DESK, chat, "/call")
        contact = await self._met(chat)
        await asyncio.sleep(chance.uniform(0, pause))
        if not contact:
            return
        self._erased[chat] = contact
        asked = {"erasure": derived_id("erasure", contact), "contact_ids": [contact], "begins": True}
        received = rfc3339(self._world.now())
        desk.lay(DESK, contact, "erase", f"erase-{contact}", received_at=received, **asked)
        desk.say(DESK, chat, f"planted {chat}", profile={"name": f"Planted {chat}"})
        await asyncio.sleep(chance.uniform(0, pause))
        desk.say(DESK, chat, f"planted {chat}", 1, profile={"name": f"Planted {chat}"})
        if chat % 2 == 0 and await desk.wait(lambda: desk.key(DESK, chat) in self._world.conversations.erased):
            await asyncio.sleep(AFTER_SECONDS)
            self._anew.add(chat)
            desk.say(DESK, chat, "anew", received_at=rfc3339(self._world.now()))

    async def _met(self, chat: int) -> str:
        """The contact of a person, once there is one; empty if there is none in time."""
        await self._desk.wait(lambda: bool(self._contact(chat)))
        return self._contact(chat)

    def _contact(self, chat: int) -> str:
        kept = self._world.conversations.conversations.get(conversation_id(self._desk.key(DESK, chat)))
        return kept.contact_id if kept else ""

    def wrong(self) -> list[str]:
        """A sentence for each trace that is left, each person who came back, and each erasure that is not told of once."""
        told = self._told()
        found = [
            f"{chat} was never met" for chat in self._chats if not self._contact(chat) and chat not in self._erased
        ]
        for chat, contact in self._erased.items():
            found += [f"of {chat} there is left: {trace}" for trace in self._traces(chat)]
            if bool(self._contact(chat)) != (chat in self._anew) or self._contact(chat) == contact:
                found.append(f"{chat} is {self._contact(chat) or 'nobody'}, and was {contact}")
            if told.get(contact, 0) != 1:
                found.append(f"that {chat} was erased is told {told.get(contact, 0)} times")
            job = self._world.conversations.erasures.get(derived_id("erasure", contact), {})
            if len(job) != 2 or any(by != {"flow-engine", "dispatcher"} for by in job.values()):
                found.append(f"the erasure of {chat} came so far: {job}")
        return found

    def _traces(self, chat: int) -> list[str]:
        """Where something stands that the person had said or was called."""
        kept, delivered, word = self._world.conversations, self._world.deliveries.tables, f"lanted {chat}"
        tables: dict[str, Any] = {
            "conversations": kept.conversations, "contacts": kept.contacts, "messages": kept.messages, "event log": kept.log,
            "held": kept.waiting, "timers": kept.armed, "deliveries": delivered.rows, "results": delivered.outbox,
        }  # fmt: skip
        return [name for name, table in tables.items() if any(word in repr(row) for row in table.values())]

    def _told(self) -> dict[str, int]:
        """Contact -> how many events tell that it is erased, a repeat not counted."""
        ids: dict[str, set[bytes | None]] = {}
        for part in self._world.log.topics[events.TOPIC.name]:
            for record in part.records:
                if b"contact.erased" in (record.value or b""):
                    body = orjson.loads(record.value or b"")
                    if body["type"] == "contact.erased":
                        ids.setdefault(body["data"]["contact"]["id"], set()).add(dict(record.headers)["ce_id"])
        return {contact: len(one) for contact, one in ids.items()}
