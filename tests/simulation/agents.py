"""Agents who take people's conversations over, two at once, while calls are on their way and a queue's time runs out.

Whoever was first in the conversation's order has it. That order is in the log, so that the judge goes through it and knows what
had to be said.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from contracts import actions, inbound
from flow_engine.state.ids import conversation_id
from simulation.desk import Desk
from simulation.desk_registry import BACK, COMING, DESK, FOUND, NOBODY_THERE, QUEUE_SECONDS
from simulation.world import World

FIRST_CHAT = 900
KIM, LEE = {"id": "kim", "name": "Kim"}, {"id": "lee", "name": "Lee"}
PHASES = 2


class Agents:
    """So many people, each of whom is answered by the bot and by agents in turn."""

    def __init__(self, world: World, people: int) -> None:
        self._world, self._desk = world, Desk(world, "agents")
        self._chats = range(FIRST_CHAT, FIRST_CHAT + people)

    async def bring(self, seconds: float) -> None:
        """All of them, within so many seconds; an answer may take longer."""
        await asyncio.gather(*(self._person(chat, seconds) for chat in self._chats))

    async def _person(self, chat: int, seconds: float) -> None:
        desk, chance = self._desk, self._desk.chance
        pause = seconds / (PHASES + 1) / 4
        await asyncio.sleep(chance.uniform(0, pause))
        desk.say(DESK, chat, "/human")
        await asyncio.sleep(QUEUE_SECONDS * chance.uniform(0.6, 1.4))
        await self._turn(chat, 0, pause)
        for phase in range(1, PHASES + 1):
            desk.say(DESK, chat, "/call", phase)
            await self._turn(chat, phase, pause)
            if not await self._found(chat, phase):
                return
            desk.say(DESK, chat, f"word {phase}")

    async def _turn(self, chat: int, phase: int, pause: float) -> None:
        """Both take it, write, and give it back; the person writes, too."""
        desk, chance = self._desk, self._desk.chance
        both = [KIM, LEE]
        chance.shuffle(both)
        for agent in both:
            await asyncio.sleep(chance.uniform(0, pause))
            desk.lay(DESK, chat, "owner", f"take-{chat}-{phase}-{agent['id']}", to="agent", by=agent)
        for agent in both:
            text = _text(agent, phase)
            desk.lay(DESK, chat, "agent_message", f"{text} to {chat}", agent=agent, text=text)
        desk.say(DESK, chat, f"psst {phase}")
        await asyncio.sleep(chance.uniform(0, 2 * pause))
        for agent in both:
            desk.lay(DESK, chat, "owner", f"give-{chat}-{phase}-{agent['id']}", to="bot", by=agent)

    async def _found(self, chat: int, phase: int) -> bool:
        """Wait until the bot has told what so many calls came to; whether it has."""

        def found() -> int:
            rows = self._world.conversations.messages.get(conversation_id(self._desk.key(DESK, chat)), [])
            return sum(FOUND.encode() in row.content for row in rows)

        return await self._desk.wait(lambda: found() >= phase)

    def wrong(self) -> list[str]:
        """A sentence for each thing that was said otherwise than the conversation's order has it."""
        return [sentence for chat in self._chats for sentence in self._wrong(chat)]

    def _wrong(self, chat: int) -> list[str]:
        desk = self._desk
        said, found = desk.said(DESK, chat), []
        expected, texts = Counter(self._expected(chat)), Counter(one.text for one in said)
        if texts != expected:
            found.append(f"chat {chat}: too much {dict(texts - expected)}, too little {dict(expected - texts)}")
        if any(count > 1 for count in desk.rows(DESK, chat).values()):
            found.append(f"chat {chat}: {desk.rows(DESK, chat)} deliveries of its messages")
        for epoch in {one.epoch for one in said}:
            if len(agents := {one.agent for one in said if one.epoch == epoch and one.agent}) > 1:
                found.append(f"chat {chat}: {agents} wrote under owner epoch {epoch}")
        return found + self._late(chat)

    def _late(self, chat: int) -> list[str]:
        """What the bot said before an agent took over and the person heard after that agent, and what nobody heard of an agent's."""
        said = {one.text: one for one in self._desk.said(DESK, chat)}
        heard = self._desk.arrived(chat)
        found = [f"chat {chat} never heard {one.text}" for one in said.values() if one.agent and one.text not in heard]
        highest = 0
        for text in heard:
            one = said[text]
            if one.agent:
                highest = max(highest, one.epoch)
            elif one.epoch < highest and text != FOUND:
                found.append(f"chat {chat} heard {text} of the bot after an agent of a later epoch")
        return found

    def _expected(self, chat: int) -> list[str]:
        """What had to be said, by the conversation's records in their order."""
        key = self._desk.key(DESK, chat)
        calls = {body["wait"] for _, body in self._desk.records(actions.TOPIC.name, key) if body["kind"] == "call_api"}
        owner, queued, expected = "", False, []
        for _, body in self._desk.records(inbound.TOPIC.name, key):
            kind = body["kind"]
            if kind == "message" and not owner:
                expected.append(_answer(body["text"]))
                owner, queued = ("queue", True) if body["text"] == "/human" else ("", False)
            elif kind == "timer" and body["wait"] not in calls and owner == "queue":
                owner, queued = "", False
                expected.append(NOBODY_THERE)
            elif kind == "owner" and owner in ("", "queue", body["by"]["id"]):
                if body["to"] == "agent":
                    owner = body["by"]["id"]
                elif owner == body["by"]["id"]:
                    owner, expected = "", expected + [BACK] * queued
                    queued = False
            elif kind == "agent_message" and owner == body["agent"]["id"]:
                expected.append(body["text"])
        return expected


def _text(agent: dict[str, Any], phase: int) -> str:
    return f"{agent['name']} {phase}"


def _answer(text: str) -> str:
    """What the bot says to a message, now or once a call is answered."""
    return {"/human": COMING, "/call": FOUND}.get(text, f"echo {text}")
