"""People who count aloud: each says 1, 2, 3, … to a bot, and a platform sometimes says it twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import orjson

from contracts import inbound
from contracts.cloudevents import headers
from contracts.partitioner import murmur2
from simulation.tenants import TENANTS
from simulation.world import PARTITIONS, World

AT = "2026-03-01T12:00:00.000Z"
REPEATED = 0.1


class Crowd:
    """`accepted` is chat -> how many of 1, 2, 3, … Kafka has; `said_at`: (chat, number) -> when."""

    def __init__(self, world: World, chats: int) -> None:
        self.world, self.chats = world, [str(100 + number) for number in range(chats)]
        self.chance = Random(f"people {world.seed}")
        self.accepted: Counter[str] = Counter()
        self.said_at: dict[tuple[str, int], float] = {}
        self.poison: list[str] = []

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
            number = self.accepted[chat] + 1
            self.say(chat, number)
            self.accepted[chat] = number
            self.said_at[chat, number] = loop.time()
            if chance.random() < REPEATED:
                loop.later(chance.random(), self.say, chat, number)

    def say(self, chat: str, number: int) -> None:
        """The record that ingress writes for what the platform posts."""
        tenant = int(chat) % TENANTS
        project, bot, channel = f"project-{tenant}", f"bot-{tenant}", f"tg-{tenant}"
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
        part = (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
        self.world.log.append(inbound.TOPIC.name, part, [(key, value, about)])
