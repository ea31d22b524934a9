"""A broadcast to a bot's people, which is paused and goes on while processes die: each is told once, or it is noted why not."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import orjson

from contracts.cloudevents import rfc3339
from contracts.ids import derived_id
from flow_engine.state.broadcasts import RecipientKey
from flow_engine.state.ids import conversation_id
from flow_engine.store.broadcasts import NewBroadcast
from simulation.desk import Desk
from simulation.desk_registry import NEWS, PROJECT
from simulation.world import World

FIRST_CHAT = 960
TITLE, RATE = "Exams begin on Monday.", 4.0
LASTS = timedelta(days=2)
"""Longer than engines are away."""
PAUSE_SECONDS = 1.0


class Broadcasts:
    """One, to so many people. The first of them has left, and the second one is erased meanwhile."""

    def __init__(self, world: World, people: int) -> None:
        self._world, self._desk = world, Desk(world, "broadcasts")
        self._chats = range(FIRST_CHAT, FIRST_CHAT + people)
        self._id = str(UUID(int=world.seed))
        self._begun, self._begun_while_paused = False, 0

    async def bring(self, seconds: float) -> None:
        """Begun once all people are there; it ends when it ends."""
        for chat in self._chats:
            self._desk.say(NEWS, chat, "hello")
        if not self._chats or not await self._desk.wait(lambda: all(map(self._contact, self._chats))):
            return
        self._desk.lay(NEWS, self._chats[0], "reachability", "left", state="blocked")
        now = self._world.now()
        variables = orjson.dumps({"title": TITLE})
        self._begun = True
        self._world.conversations.broadcasts.make(
            NewBroadcast(
                self._id,
                PROJECT,
                NEWS,
                f"{NEWS}-flow",
                "told",
                variables,
                None,
                None,
                None,
                RATE,
                None,
                now,
                now + LASTS,
                None,
            )
        )
        await asyncio.gather(self._erase(self._chats[1], seconds), self._pause(seconds))

    async def _erase(self, chat: int, seconds: float) -> None:
        await asyncio.sleep(self._desk.chance.uniform(0, seconds / 2))
        contact = self._contact(chat)
        asked = {"erasure": derived_id("erasure", contact), "contact_ids": [contact], "begins": True}
        received = rfc3339(self._world.now())
        self._desk.lay(NEWS, contact, "erase", f"erase-{contact}", received_at=received, **asked)

    async def _pause(self, seconds: float) -> None:
        """Nobody is begun with while it is paused."""
        await asyncio.sleep(self._desk.chance.uniform(0, seconds / 2))
        if not await self._turned("paused", "running"):
            return
        before = self._started()
        await asyncio.sleep(PAUSE_SECONDS)
        self._begun_while_paused = len(self._started() - before)  # Who is erased meanwhile has no row any more.
        await self._turned("running", "paused")

    async def _turned(self, state: str, before: str) -> bool:
        """As somebody's request does, which waits until no step of the walk is being saved. False where it has ended."""
        broadcasts, locks = self._world.conversations.broadcasts, self._world.engine_database.locks

        def turned() -> bool:
            free = (f"walk {self._id}", 0) not in locks
            return free and broadcasts.turn(self._id, state, (before,))

        done = await self._desk.wait(lambda: not self.unfinished() or turned())
        self._world.trace(f"the broadcast is {broadcasts.sent[self._id].state}")
        return done and bool(self.unfinished())

    def _started(self) -> set[RecipientKey]:
        told = self._world.conversations.broadcasts.told
        return {key for key, row in told.items() if row.outcome == "started"}

    def _contact(self, chat: int) -> str:
        kept = self._world.conversations.conversations.get(conversation_id(self._desk.key(NEWS, chat)))
        return kept.contact_id if kept else ""

    def unfinished(self) -> bool:
        return not self._world.conversations.broadcasts.sent[self._id].closed

    def wrong(self) -> list[str]:
        """A sentence for each person who was not told once, or of whom something else is noted."""
        if not self._begun:
            return []
        told = self._world.conversations.broadcasts.told
        noted = Counter((row.outcome, row.reason) for row in told.values())
        found = [f"{self._begun_while_paused} were begun with while it was paused"] * bool(self._begun_while_paused)
        for chat in self._chats:
            said = sum(one.text == TITLE for one in self._desk.said(NEWS, chat))
            row = told.get(RecipientKey(self._id, self._contact(chat)))
            is_started = row is not None and row.outcome == "started"
            if said != is_started and chat != self._chats[1]:
                found.append(f"{chat} was told {said} times, and {row} is noted")
            if said > 1 or max(self._desk.rows(NEWS, chat).values(), default=0) > 1:
                found.append(f"{chat} was told {said} times: {self._desk.rows(NEWS, chat)}")
        # Who is erased may be gone before it is begun with, and before there is a row.
        others = len(self._chats) - 2
        if noted["started", None] not in (others, others + 1) or len(told) < others + 1:
            found.append(f"of {len(self._chats)} there is noted {dict(noted)}")
        return found
