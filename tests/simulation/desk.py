"""What people and agents of the bots of `desk_registry` write, and what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import orjson

from contracts import actions, inbound
from contracts.cloudevents import headers
from contracts.partitioner import murmur2
from servicekit.kafka.records import Record
from simulation.desk_registry import HOST, PROJECT
from simulation.world import World

AT = "2026-03-01T12:00:00.000Z"
REPEATED = 0.2
LONGEST_WAIT, LOOK_SECONDS = 90.0, 0.2


class Said(NamedTuple):
    """A message that the engine has written an action for."""

    id: str
    text: str
    epoch: int
    agent: str | None


class Desk:
    """What the people and agents of these bots write, and what came of it."""

    def __init__(self, world: World, about: str) -> None:
        """`about`: which part of a run it is; chance is its own."""
        self.world, self.chance = world, Random(f"{about} {world.seed}")

    def key(self, bot: str, chat: int) -> str:
        """Of a person's conversation."""
        return f"{bot}/{bot}-tg/{chat}"

    def lay(self, bot: str, chat: int | str, kind: str, id: str, **fields: Any) -> None:
        """A record on inbound, and maybe later the same once more. `chat`: a person's, or a contact's id for its own key."""
        channel, peer = ("-", "-") if isinstance(chat, str) else (f"{bot}-tg", str(chat))
        key = f"{bot}/-/{chat}" if isinstance(chat, str) else self.key(bot, chat)
        place = {"project_id": PROJECT, "bot_id": bot, "channel_id": channel, "peer_id": peer}
        body = {
            "kind": kind,
            "channel_type": None if channel == "-" else "telegram",
            "received_at": AT,
            **place,
            **fields,
        }
        about = headers(id=id, type=f"inbound.{kind}", source="desk", time=AT, project=PROJECT)
        record = (key.encode(), orjson.dumps(body), about)
        self._append(record)
        if self.chance.random() < REPEATED:
            self.world.loop.later(self.chance.random(), self._append, record)

    def _append(self, record: Any) -> None:
        log, topic = self.world.log, inbound.TOPIC.name
        log.append(topic, (murmur2(record[0]) & 0x7FFFFFFF) % len(log.topics[topic]), [record])

    def say(self, bot: str, chat: int, text: str, number: int = 0, **fields: Any) -> None:
        """A person's message, whose id follows from its text and number."""
        id = f"{bot}-{chat}-{text}-{number}"
        self.lay(bot, chat, "message", id, message_id=id, text=text, **fields)

    async def wait(self, done: Callable[[], bool]) -> bool:
        """Until it is so; whether it was in time."""
        for _ in range(int(LONGEST_WAIT / LOOK_SECONDS)):
            if done():
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False

    def records(self, topic: str, key: str) -> list[tuple[str, dict[str, Any]]]:
        """(id, body) of each record of a key, repeats not counted, in their order."""
        found: dict[str, dict[str, Any]] = {}
        for record in self._of(topic, key):
            found.setdefault((dict(record.headers)["ce_id"] or b"").decode(), orjson.loads(record.value or b"{}"))
        return list(found.items())

    def _of(self, topic: str, key: str) -> list[Record]:
        wanted = key.encode()
        return [record for part in self.world.log.topics[topic] for record in part.records if record.key == wanted]

    def said(self, bot: str, chat: int) -> list[Said]:
        """What bot and agents have said to a person."""
        return [
            Said(body["id"], body["content"]["text"], body.get("owner_epoch", 0), body.get("agent_id"))
            for _, body in self.records(actions.TOPIC.name, self.key(bot, chat))
            if body["kind"] == "send_message"
        ]

    def arrived(self, chat: int) -> list[str]:
        """Texts that have reached the person, each when it came first."""
        heard = [
            each for each in self.world.receivers.heard if each.host == HOST and each.path.endswith("/sendMessage")
        ]
        return list(dict.fromkeys(each.body["text"] for each in heard if str(each.body["chat_id"]) == str(chat)))

    def rows(self, bot: str, chat: int) -> Counter[int]:
        """Number of a message -> how many deliveries there are of it."""
        there = self.world.deliveries.tables.rows.values()
        mine = [row.new for row in there if row.new.kind == "message" and row.new.conversation == self.key(bot, chat)]
        return Counter(new.seq or 0 for new in mine)
