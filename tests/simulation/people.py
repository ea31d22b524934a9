"""People who count aloud: each says 1, 2, 3, … to a bot, and a platform sometimes says it twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import orjson

from contracts import actions, events, inbound
from contracts.cloudevents import headers
from contracts.partitioner import murmur2
from servicekit.kafka.records import BAD_NAME
from simulation.tenants import QUICK_CHATS, is_patient, line_of
from simulation.world import PARTITIONS, World

Spoilt = tuple[str, bytes, list[tuple[str, Any]]]
ABOUT = headers(
    id="spoilt", type="inbound.message", source="people", time="2026-03-01T12:00:00.000Z", project="project-0"
)
BAD_RECORDS: tuple[Spoilt, ...] = (
    (inbound.TOPIC.name, b"{", ABOUT),
    (inbound.TOPIC.name, b"{}", ABOUT),
    (inbound.TOPIC.name, b"\xff" * 100, []),
    (inbound.TOPIC.name, b"{}", [*ABOUT, ("ce_extra", None)]),
    (inbound.TOPIC.name, b"{}", [(BAD_NAME + "\\xff", b""), *ABOUT]),
    (inbound.TOPIC.name, b"{}", [(BAD_NAME + "\\xff" * 540_000, b""), *ABOUT]),
    (actions.TOPIC.name, b"{", ABOUT),
    (actions.TOPIC.name, b"", []),
    (events.TOPIC.name, b"[]", ABOUT),
    (events.TOPIC.name, b"\x00", [("ce_type", b"\xff")]),
)
"""Topic, value and headers of what nobody can read."""
AT = "2026-03-01T12:00:00.000Z"
REPEATED = 0.1
BURSTS, BURST = 0.2, 8
"""How often quick people say so many numbers more at once."""


class Crowd:
    """`accepted` is chat -> how many of 1, 2, 3, … Kafka has; `said_at`: (chat, number) -> when."""

    def __init__(self, world: World, chats: Sequence[int]) -> None:
        self.world, self.chats = world, [str(chat) for chat in chats]
        self.chance = Random(f"people {world.seed}")
        self.accepted: Counter[str] = Counter()
        self.waited: dict[tuple[str, int], float] = {}
        """(chat, number) -> seconds until the answer, of those that are known to be answered."""
        self._heard: dict[str, int] = {}
        self._read = 0
        self.said_at: dict[tuple[str, int], float] = {}
        self.spoilt: list[bytes] = []
        """Keys of the records that nobody can read."""

    async def count_aloud(self, seconds: float, pause: float) -> None:
        """All of them, for so long."""
        await asyncio.gather(*(self._person(chat, seconds, pause) for chat in self.chats))

    async def _person(self, chat: str, seconds: float, pause: float) -> None:
        loop, chance = self.world.loop, Random(f"{chat} {self.world.seed}")
        until = loop.time() + seconds
        while True:
            await asyncio.sleep(chance.expovariate(1 / pause))
            if loop.time() > until:
                return
            if is_patient(chat) and self.accepted[chat] > self.heard(chat):
                continue
            self._next(chat, chance)
            if int(chat) in QUICK_CHATS and chance.random() < BURSTS:
                for _ in range(BURST):
                    self._next(chat, chance)

    def _next(self, chat: str, chance: Random) -> None:
        """The next number, and maybe later the same once more."""
        loop, number = self.world.loop, self.accepted[chat] + 1
        self.say(chat, number)
        self.accepted[chat] = number
        self.said_at[chat, number] = loop.time()
        if chance.random() < REPEATED:
            loop.later(chance.random(), self.say, chat, number)

    def heard(self, chat: str) -> int:
        """The highest number that the bot has answered."""
        while self._read < len(self.world.receivers.heard):
            each = self.world.receivers.heard[self._read]
            self._read += 1
            if each.is_answer:
                to, number = str(each.body["chat_id"]), int(each.body["text"].split(":")[0])
                self._heard[to] = max(self._heard.get(to, 0), number)
                if (to, number) in self.said_at:
                    self.waited.setdefault((to, number), each.at - self.said_at[to, number])
        return self._heard.get(chat, 0)

    def spoil(self, bad: Spoilt, number: int) -> None:
        """Lay down a record that nobody can read, where people's records are."""
        topic, value, about = bad
        if topic in self.world.log.refuses:
            return
        key = f"spoilt-{number}".encode()
        self.spoilt.append(key)
        self.world.log.append(topic, self.chance.randrange(PARTITIONS), [(key, value, about)])

    def say(self, chat: str, number: int) -> None:
        """The record that ingress writes for what the platform posts."""
        project, bot, channel = line_of(chat)
        body = {
            "kind": "message", "project_id": project, "bot_id": bot, "channel_id": channel, "channel_type": "telegram",
            "peer_id": chat, "received_at": AT, "message_id": str(number), "text": str(number),
        }  # fmt: skip
        about = headers(
            id=f"{channel}-{chat}-{number}", type="inbound.message", source="people", time=AT, project=project
        )
        self.lay(f"{bot}/{channel}/{chat}".encode(), orjson.dumps(body), about)

    def lay(self, key: bytes, value: bytes, about: list[tuple[str, bytes]]) -> None:
        """Anything at all, into the inbound topic."""
        part = (murmur2(key) & 0x7FFFFFFF) % len(self.world.log.topics[inbound.TOPIC.name])
        self.world.log.append(inbound.TOPIC.name, part, [(key, value, about)])
