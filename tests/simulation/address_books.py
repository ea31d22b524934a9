"""Programs that bring their people by imports, send what they do not know to be applied again, and make two people one."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import Any

import orjson

from contracts import events
from contracts.cloudevents import headers
from flow_engine.store.port import Name
from simulation.people import AT, REPEATED, Crowd
from simulation.world import World

PROJECT, BOT = "project-0", "bot-0"
LINES, PORTIONS = 12, (4, 3)
"""Of a file; how many lines a record has the first and the second time."""
PAIRS = ((1, 3), (5, 7), (9, 11))
"""Lines whose people are one: who stays, and who is that one from then on. Odd lines have an external id."""
LONGEST_WAIT = 60.0
LOOK_SECONDS = 0.2


class AddressBooks:
    """Each file is sent in the course of a run, and again in other portions; its pairs are merged once they are there."""

    def __init__(self, world: World, crowd: Crowd, files: int) -> None:
        self._world, self._crowd = world, crowd
        self._files = [f"file-{number}" for number in range(files)]

    async def bring(self, seconds: float) -> None:
        """All of them, within so many seconds; merges may take longer."""
        await asyncio.gather(*(self._bring(file, seconds) for file in self._files))

    async def _bring(self, file: str, seconds: float) -> None:
        chance, pieces = Random(f"{file} {self._world.seed}"), sum(LINES // portion for portion in PORTIONS)
        merging = asyncio.gather(*(self._merge(file, *pair, chance, LONGEST_WAIT + seconds) for pair in PAIRS))
        for portion in PORTIONS:
            for first in range(1, LINES + 1, portion):
                await asyncio.sleep(chance.uniform(0, 2 * seconds / pieces))
                lines = [_line(file, number) for number in range(first, first + portion)]
                self._lay(file, f"{file}-{portion}-{first}", {"kind": "contact_import", "lines": lines})
        await merging

    async def _merge(self, file: str, stays: int, goes: int, chance: Random, patience: float) -> None:
        until = self._world.loop.time() + patience
        while not (ids := [id for number in (stays, goes) if (id := self._id(file, number))])[1:]:
            if self._world.loop.time() > until:
                return
            await asyncio.sleep(LOOK_SECONDS)
        about = (ids[0], f"{file}-merge-{stays}", {"kind": "contact_update", "merge": ids[1], "request_digest": "d"})
        self._lay(*about)
        if chance.random() < REPEATED:
            self._world.loop.later(chance.random(), self._lay, *about)

    def _lay(self, own: str, id: str, body: dict[str, Any]) -> None:
        """A record as the engine's HTTP writes it."""
        whole = {"project_id": PROJECT, "bot_id": BOT, "channel_id": "-", "peer_id": "-", "received_at": AT, **body}
        about = headers(id=id, type=f"inbound.{body['kind']}", source="books", time=AT, project=PROJECT)
        self._crowd.lay(f"{BOT}/-/{own}".encode(), orjson.dumps(whole), about)

    def _id(self, file: str, number: int) -> str | None:
        """Of the contact that a line has made."""
        return self._world.conversations.identities.get(Name(BOT, "external_id", _name(file, number)))

    def wrong(self) -> list[str]:
        """A sentence for each contact that is not there once, and each pair that is not one, or was told of otherwise."""
        kept, told = self._world.conversations, self._told()
        names = Counter(contact.profile.get("name") for _, contact in kept.contacts.values())
        found = []
        for name in (_name(file, number) for file in self._files for number in range(1, LINES + 1)):
            if (names[name], told["contact.created", name]) != (1, 1):
                found.append(f"{name} is there {names[name]} times, and told of {told['contact.created', name]} times")
        for file in self._files:
            for stays, goes in PAIRS:
                gone = [id for id, (_, one) in kept.contacts.items() if one.profile.get("name") == _name(file, goes)]
                id = self._id(file, stays) or ""
                tags = kept.contacts[id][1].tags if id else []
                if [kept.merged.get(one) for one in gone] != [id] or kept.versions[id] != 1:
                    found.append(f"{_name(file, goes)} was made {_name(file, stays)} {kept.versions[id]} times: {tags}")
                if tags != [f"line {stays}", f"line {goes}"] or told["tag.added", _name(file, stays)] != 2:
                    found.append(f"{_name(file, stays)} has the tags {tags}, or was told of otherwise")
        return found

    def _told(self) -> Counter[tuple[str, str]]:
        """(type, name) -> how many events there are about them, a repeat not counted."""
        seen: dict[bytes | None, tuple[str, str]] = {}
        for part in self._world.log.topics[events.TOPIC.name]:
            for record in part.records:
                if b"file-" in (record.value or b"") and (record.key or b"").startswith(f"{BOT}/-/".encode()):
                    body = orjson.loads(record.value or b"")
                    seen[dict(record.headers)["ce_id"]] = (body["type"], body["data"]["contact"]["name"])
        return Counter(seen.values())


def _name(file: str, number: int) -> str:
    return f"{file}-{number}"


def _line(file: str, number: int) -> dict[str, Any]:
    """contracts.imported.ImportedContact, always the same."""
    name = _name(file, number)
    profile = {"name": name, "external_id": name} if number % 2 else {"name": name}
    return {
        "line": number, "event_id": name, "digest": "d", "profile": profile, "add_tags": [f"line {number}"],
    }  # fmt: skip
