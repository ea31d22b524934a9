"""Copying with a log and a Kafka that the test plays: order whatever fails, and nobody waits for another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from contracts import cloudevents
from dispatcher.copies import copier as module
from dispatcher.copies.copier import Copier
from dispatcher.copies.events_log import Reading
from dispatcher.copies.positions import Span
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.kafka.records import Outgoing, Record
from support.waiting import eventually

SHOP, RIVAL = "project-1", "project-2"


def event(offset: int, project: str = SHOP, part: int = 0) -> Record:
    headers = cloudevents.headers(
        id=f"{part}-{offset}", type="tag.added", source="s", time="2026-11-22T00:00:00Z", project=project
    )
    return Record("switchhook.events.v1", part, offset, 0, b"k", b"{}", tuple(headers))


class Played:
    """The log of events, the topics, and the table."""

    def __init__(self) -> None:
        self.log: dict[int, list[Record]] = {}
        self.begins = 0
        self.refused = set[str]()
        self.topics: dict[str, list[str]] = {}
        self.answers = asyncio.Event()
        self.answers.set()
        self.writing = self.failures = 0
        self.readings = 0
        self.saved: dict[tuple[str, int], int] = {}
        self.waiting: list[Span] = []

    async def read(self, part: int, first: int, last: int) -> Reading:
        self.readings += 1
        if first < self.begins:
            return Reading([], self.begins, self.begins - first)
        found = [each for each in self.log[part] if first <= each.offset <= last][:2]
        return Reading(found, found[-1].offset + 1)

    async def close(self) -> None:
        """Nothing is open."""

    async def write(self, topic: str, records: Iterable[Outgoing]) -> None:
        refused = topic in self.refused
        await asyncio.sleep(0)
        self.writing += 1
        await self.answers.wait()
        if refused or self.failures:
            self.failures = max(self.failures - 1, 0)
            raise NotAcknowledged("refused")
        self.topics.setdefault(topic, []).extend(dict(each.headers)["ce_id"].decode() for each in records)

    def forget(self, topic: str) -> None:
        """Nothing is remembered."""

    def acquire(self) -> Played:
        return self

    async def __aenter__(self) -> Played:
        return self

    async def __aexit__(self, *_: object) -> None:
        """It goes on."""

    async def execute(self, _: str, *columns: Any) -> None:
        if len(columns) == 3:
            self.saved |= {(project, part): offset for project, part, offset in zip(*columns, strict=True)}

    async def fetch(self, _: str, parts: list[int]) -> list[Span]:
        return [each for each in self.waiting if each.part in parts]

    def of(self, slug: str) -> list[str]:
        """What came into the project's topic, repeats left out."""
        return list(dict.fromkeys(self.topics.get(f"switchhook.project.{slug}.events.v1", [])))


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
async def copier(played: Played, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Copier]:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.01)
    pool: Any = played
    made = Copier(pool, played, played)
    made.set_project(SHOP, "shop")
    made.set_project(RIVAL, "rival")
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def offered(played: Played, copier: Copier, *offsets: int, project: str = SHOP, part: int = 0) -> list[str]:
    """Applied just now; their ids."""
    records = [event(offset, project, part) for offset in offsets]
    played.log.setdefault(part, []).extend(records)
    copier.offer({Span(project, part, offsets[0], offsets[-1]): records})
    return [f"{part}-{offset}" for offset in offsets]


async def test_what_was_refused_and_what_came_behind_it_follow_in_order_and_others_do_not_wait(
    played: Played, copier: Copier
) -> None:
    played.refused.add("switchhook.project.shop.events.v1")
    sent = offered(played, copier, 1, 2, 3)
    await eventually(lambda: copier.problem())
    sent += offered(played, copier, 7, 9)
    theirs = offered(played, copier, 4, 5, project=RIVAL)
    await eventually(lambda: played.of("rival") == theirs)
    assert (SHOP, 0) not in played.saved
    played.refused.clear()
    await eventually(lambda: played.of("shop") == sent)
    sent += offered(played, copier, 11)
    await eventually(lambda: played.of("shop") == sent and copier.problem() is None)
    await eventually(lambda: played.saved[SHOP, 0] == 12)


async def test_what_comes_while_a_write_fails_is_behind_what_failed(played: Played, copier: Copier) -> None:
    """It overtook it, and how far copies are was saved as if there were nothing missing."""
    played.failures = 1
    played.answers.clear()
    sent = offered(played, copier, 1, 2)
    await eventually(lambda: played.writing)
    sent += offered(played, copier, 3)
    played.answers.set()
    await eventually(lambda: len(played.of("shop")) == len(sent))
    assert played.of("shop") == sent


async def test_what_the_owner_before_left_is_read_again_before_what_comes_now(played: Played, copier: Copier) -> None:
    played.log[0] = [event(offset, RIVAL if offset == 3 else SHOP) for offset in range(1, 6)]
    played.waiting = [Span(SHOP, 0, 1, 5)]
    connection: Any = played
    await copier.take({0}, connection)
    now = offered(played, copier, 6, 7)
    await eventually(lambda: played.of("shop") == ["0-1", "0-2", "0-4", "0-5", *now])
    assert played.of("rival") == []


async def test_what_finds_no_room_is_read_again_in_its_turn(
    played: Played, copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    sent = [id for offset in range(20) for id in offered(played, copier, offset)]
    await eventually(lambda: played.of("shop") == sent)
    assert played.readings


async def test_what_is_being_written_takes_room_too(
    played: Played, copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of how many projects ever: what is held in memory has one bound."""
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    played.answers.clear()
    theirs = offered(played, copier, 1, project=RIVAL)
    await eventually(lambda: played.writing)
    sent = offered(played, copier, 2)
    played.answers.set()
    await eventually(lambda: (played.of("rival"), played.of("shop")) == (theirs, sent))
    assert played.readings == 1
    sent += offered(played, copier, 3)
    await eventually(lambda: played.of("shop") == sent)
    assert played.readings == 1


async def test_a_partition_that_went_to_another_process_is_left_to_it(played: Played, copier: Copier) -> None:
    played.refused.add("switchhook.project.shop.events.v1")
    offered(played, copier, 1, 2)
    theirs = offered(played, copier, 1, part=1)
    await eventually(lambda: copier.problem())
    copier.leave({0})
    played.refused.clear()
    await eventually(lambda: played.of("shop") == theirs)
    await eventually(lambda: played.saved == {(SHOP, 1): 2})


async def test_what_retention_took_is_left_out(played: Played, copier: Copier) -> None:
    played.begins, played.log[0] = 4, [event(5), event(6)]
    played.waiting = [Span(SHOP, 0, 1, 6)]
    connection: Any = played
    await copier.take({0}, connection)
    await eventually(lambda: played.of("shop") == ["0-5", "0-6"])


async def test_a_project_without_topics_is_copied_no_more_and_waits_for_nothing(played: Played, copier: Copier) -> None:
    played.refused.add("switchhook.project.shop.events.v1")
    offered(played, copier, 1)
    await eventually(lambda: copier.problem())
    copier.set_project(SHOP, None)
    played.refused.clear()
    offered(played, copier, 2)
    theirs = offered(played, copier, 3, project=RIVAL)
    await eventually(lambda: played.of("rival") == theirs)
    assert (played.of("shop"), copier.problem()) == ([], None)
