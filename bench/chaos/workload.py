"""Many people who count aloud: each says 1, 2, 3, … to its bot, and repeats what was not accepted, as a platform would."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from operations.api import Api

PATIENCE = aiohttp.ClientTimeout(total=10)
PAUSE_SECONDS = 0.2

COUNTING: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "counting",
    "name": "Counting",
    "start": "count",
    "variables": {"count": {"type": "integer", "scope": "user"}},
    "triggers": [{"id": "said", "type": "no_match", "to": "count"}],
    "nodes": {
        "count": {
            "type": "set",
            "values": {"user.count": {"cel": "has(user.count) ? user.count + 1 : 1"}},
            "ports": {"next": "answer"},
        },
        "answer": {"type": "say", "parts": [{"text": "{{ system.last_message }}:{{ user.count }}"}]},
    },
}


IN_A_WORKER = "[has(user.count) ? user.count + 1 : 1].map(count, count)[0]"
"""The same, by a loop: of every other bot, whose turns are made in worker processes and may be deferred."""


def counting(number: int) -> dict[str, Any]:
    """The flow of a bot."""
    if number % 2 == 0:
        return COUNTING
    count = COUNTING["nodes"]["count"] | {"values": {"user.count": {"cel": IN_A_WORKER}}}
    return COUNTING | {"nodes": COUNTING["nodes"] | {"count": count}}


@dataclass(frozen=True, slots=True)
class Line:
    """A bot's way in: where a platform posts updates, and the secret that proves it."""

    bot: str
    channel: str
    url: str
    secret: str


async def open_lines(api: Api, ear_url: str, numbers: Iterable[int]) -> list[Line]:
    """A bot for each number, with the counting flow and a Telegram channel whose Bot API is the ear."""
    return list(await asyncio.gather(*(open_line(api, ear_url, number) for number in numbers)))


async def open_line(api: Api, ear_url: str, number: int) -> Line:
    bot = (await api.post("/v1/bots", {"name": f"bot {number}"}))["id"]
    await api.publish_flow(bot, counting(number))
    channel = await api.post(
        "/v1/channels",
        {
            "bot": bot,
            "type": "telegram",
            "name": "telegram",
            "credentials": {"token": f"{number}:chaos"},
            "api_base_url": ear_url,
            "set_webhook": False,
        },
    )
    return Line(bot, channel["id"], channel["inbound_url"], channel["secret_token"])


@dataclass(slots=True)
class Crowd:
    """`accepted` is chat -> how many of 1, 2, 3, … were accepted so far."""

    lines: Sequence[Line]
    chats: Sequence[int]
    project: str = ""
    in_flight: int = 64
    ended: bool = False
    """Nobody says anything any more."""
    accepted: dict[str, int] = field(default_factory=dict)
    begun: dict[str, list[float]] = field(default_factory=dict)
    """Chat -> when the request began by which 1, 2, 3, … was accepted, on the clock of `time.monotonic`."""
    tried: dict[str, list[float]] = field(default_factory=dict)
    """The same of the first request, accepted or not."""
    refused: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    """Status, or kind of error -> how often."""
    pause: float = 0.0
    """Seconds between what somebody says and what he says next."""

    async def count_aloud(self, seconds: float, at_least: int = 0) -> None:
        """All chats count, at most `in_flight` at once; after `seconds` each ends with a number that was accepted.

        On a machine so slow that fewer than `at_least` were accepted by then, it goes on, up to four times as long.
        """
        begins = asyncio.get_running_loop().time()

        def enough(_: int) -> bool:
            passed = asyncio.get_running_loop().time() - begins
            return passed > seconds and (sum(self.accepted.values()) >= at_least or passed > 4 * seconds)

        await self._all_count(enough)

    async def count_until(self, over: asyncio.Event) -> None:
        """All chats count until somebody sets the event; each ends with a number that was accepted."""
        await self._all_count(lambda _: over.is_set())

    def said_before(self, moment: float) -> dict[str, set[int]]:
        """Chat -> its numbers whose requests began before the moment."""
        return {
            chat: {number for number, began in enumerate(times, 1) if began < moment}
            for chat, times in self.begun.items()
        }

    async def say_more(self, numbers: int) -> None:
        """All chats go on with their next numbers, so many each, until the last was accepted."""
        await self._all_count(lambda said: said >= numbers)

    async def _all_count(self, enough: Callable[[int], bool]) -> None:
        """`enough`: whether who has said so many numbers in this round ends."""
        gate = asyncio.Semaphore(self.in_flight)
        async with aiohttp.ClientSession(timeout=PATIENCE) as session, asyncio.TaskGroup() as people:
            for chat in self.chats:
                people.create_task(self._person(session, gate, chat, enough))

    def all_answered(self, arrivals: Iterable[tuple[str, str]]) -> bool:
        """Whether the last number of each chat was answered, and all before it."""
        heard = {(chat, text.split(":")[0]) for chat, text in arrivals}
        return all((chat, f"{n}") in heard for chat, count in self.accepted.items() for n in range(1, count + 1))

    async def _person(
        self, session: aiohttp.ClientSession, gate: asyncio.Semaphore, chat: int, enough: Callable[[int], bool]
    ) -> None:
        line, before = self.lines[chat % len(self.lines)], self.accepted.get(str(chat), 0)
        number = before
        await asyncio.sleep(self.pause * (chat % 100) / 100)  # Not all at the same moment.
        while not enough(number - before):
            number += 1
            async with gate:
                began = time.monotonic()
                self.tried.setdefault(str(chat), []).append(began)
                while not await self._say(session, line, chat, number):
                    self.refused += 1
                    await asyncio.sleep(PAUSE_SECONDS)
                    began = time.monotonic()
            self.accepted[str(chat)] = number
            self.begun.setdefault(str(chat), []).append(began)
            if self.pause:
                await asyncio.sleep(self.pause)

    async def _say(self, session: aiohttp.ClientSession, line: Line, chat: int, number: int) -> bool:
        """Post one update; whether it was accepted. A broken connection is an unknown, so it is said again."""
        headers = {"x-telegram-bot-api-secret-token": line.secret}
        try:
            async with session.post(line.url, json=update(chat, number), headers=headers) as answer:
                self.refusals[f"{answer.status}"] += answer.status != 200
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError) as error:
            self.refusals[type(error).__name__] += 1
            return False


def update(chat: int, number: int) -> dict[str, Any]:
    """A text message as Telegram sends it; a repeat has the same update_id."""
    return {
        "update_id": chat * 1_000_000 + number,
        "message": {
            "message_id": number,
            "date": 1_795_219_200,
            "chat": {"id": chat, "type": "private"},
            "from": {"id": chat, "is_bot": False, "first_name": f"P{chat}"},
            "text": str(number),
        },
    }
