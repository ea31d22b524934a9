"""Each project's copies, one project apart from the others: at once from memory, and from the log what could not be written then.

The fast path is the slow path with the reading left out: what is in the table, and was not written, is read again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from contracts import project_topics
from contracts.cloudevents import PROJECT
from dispatcher.copies import positions
from dispatcher.copies.events_log import Reading
from dispatcher.copies.positions import Span
from dispatcher.copies.topic_writer import Missing
from servicekit.database import Pool
from servicekit.failpoints import failpoint
from servicekit.kafka.publisher import NotAcknowledged, TooLarge
from servicekit.kafka.records import Outgoing, Record, bad_header
from servicekit.loop.batches import Connection

MOST_WAITING = 32 * 1024 * 1024
"""Bytes of events that wait in memory or are being written, of all projects together; more than that are read again."""
SAVE_SECONDS = 0.5
"""How often it is saved how far copies are: a crash repeats those of so long."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 30.0
TROUBLE = (NotAcknowledged, TooLarge, Missing, KafkaError, OSError)

log = structlog.get_logger()


class Log(Protocol):
    """copies.events_log.EventsLog."""

    async def read(self, part: int, first: int, last: int) -> Reading:
        """Some of the records from `first` to `last`."""
        ...

    async def close(self) -> None:
        """Nobody reads for now."""
        ...


class Writer(Protocol):
    """copies.topic_writer.TopicWriter."""

    async def write(self, topic: str, records: list[Outgoing]) -> None:
        """Written, in order, and acknowledged."""
        ...

    def forget(self, topic: str) -> None:
        """Nothing is written to it any more."""
        ...


@dataclass
class _Project:
    """`behind`: partition -> (next offset, last offset) of what is to be read again; what comes after it waits there, too."""

    id: str
    slug: str
    queue: deque[tuple[Span, list[Record]]] = field(default_factory=deque)
    behind: dict[int, tuple[int, int]] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    failures: int = 0
    problem: str | None = None

    @property
    def topic(self) -> str:
        return project_topics.events_topic(self.slug).name

    def left_behind(self, span: Span) -> None:
        """The span is to be read again."""
        first, last = self.behind.get(span.part, (span.next_offset, span.last_offset))
        self.behind[span.part] = min(first, span.next_offset), max(last, span.last_offset)


class Copier:
    """One per process; `run` has to be running. Told of projects by `set_project`, of partitions as the loop over events is."""

    def __init__(self, pool: Pool, events_log: Log, writer: Writer) -> None:
        self._pool, self._log, self._writer = pool, events_log, writer
        self._projects: dict[str, _Project] = {}
        self._waiting = 0
        self._copied: dict[tuple[str, int], int] = {}
        self._gone = set[str]()
        self._to_save = asyncio.Event()

    async def run(self) -> None:
        """Save how far copies are, until cancelled."""
        try:
            while True:
                await self._to_save.wait()  # Where no project has topics nothing wakes.
                await asyncio.sleep(SAVE_SECONDS)
                await self._save()
        finally:
            tasks = [project.task for project in self._projects.values() if project.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._log.close()

    def set_project(self, id: str, slug: str | None) -> None:
        """It has topics of its own, or (None) no longer."""
        known = self._projects.get(id)
        if slug is not None:
            self._gone.discard(id)
            if known is None:
                self._projects[id] = _Project(id, slug)
        elif known is not None:
            del self._projects[id]
            self._drop(known, {span.part for span, _ in known.queue})
            self._gone.add(id)
            self._to_save.set()
            self._writer.forget(known.topic)
            if known.task is not None:
                known.task.cancel()

    async def take(self, partitions: Collection[int], connection: Connection) -> None:
        """These partitions of events are this process's: what of them is not copied is read again."""
        for span in await positions.waiting(connection, partitions):
            project = self._projects.get(span.project_id)
            if project is None:
                self._gone.add(span.project_id)
                self._to_save.set()
            else:
                project.left_behind(span)
                self._work(project)

    def leave(self, partitions: Collection[int]) -> None:
        """They are another's, or about to be taken anew."""
        for project in self._projects.values():
            self._drop(project, partitions)
            for part in partitions:
                project.behind.pop(part, None)

    def offer(self, taken: Mapping[Span, list[Record]]) -> None:
        """The checkpoint is behind these, and the table has their spans."""
        for span, records in taken.items():
            project = self._projects.get(span.project_id)
            if project is None:
                continue
            if span.part in project.behind or self._waiting > MOST_WAITING:
                project.left_behind(span)
            else:
                project.queue.append((span, records))
                self._waiting += _size(records)
            self._work(project)

    def problem(self) -> str | None:
        """For the warnings of readiness: whose events wait, and why, in a sentence; None when nobody's do."""
        said = [f"{project.slug}: {project.problem}" for project in self._projects.values() if project.problem]
        if not said:
            return None
        more = f", and those of {len(said) - 3} more projects" if len(said) > 3 else ""
        return f"events wait for the topics of projects ({'; '.join(said[:3])}{more}); it is tried again all the time"

    async def drained(self, seconds: float) -> None:
        """Wait a little for what is being written, and save how far that is."""
        tasks = [project.task for project in self._projects.values() if project.task and not project.failures]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        await self._save()

    async def _save(self) -> None:
        """How far copies are, and who has none any more; what PostgreSQL does not take now is for the next time."""
        self._to_save.clear()
        if not (self._copied or self._gone):
            return
        copied, self._copied = self._copied, {}
        gone, self._gone = self._gone, set()
        try:
            async with self._pool.acquire() as connection:
                if copied:
                    await positions.copied(connection, [(*place, offset) for place, offset in copied.items()])
                if gone:
                    await positions.forget(connection, gone)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            self._copied, self._gone = copied | self._copied, gone | self._gone
            self._to_save.set()
            log.warning("copies.not_saved", error=f"{type(error).__name__}: {error}")

    def _work(self, project: _Project) -> None:
        if project.task is None or project.task.done():
            project.task = asyncio.create_task(self._copy(project), name=f"copy events of {project.slug}")

    async def _copy(self, project: _Project) -> None:
        """Until nothing waits. What is in the queue is before what is behind, of one partition."""
        while project.queue or project.behind:
            try:
                await (self._write_queue(project) if project.queue else self._catch_up(project))
            except TROUBLE as error:
                await self._pause(project, error)
            except Exception as error:
                log.exception("copies.failed", project=project.slug)
                await self._pause(project, error)
            else:
                project.failures, project.problem = 0, None
        if not any(each.behind for each in self._projects.values()):
            await self._log.close()

    async def _write_queue(self, project: _Project) -> None:
        taken, project.queue = project.queue, deque()
        spans, records = [span for span, _ in taken], [record for _, some in taken for record in some]
        try:
            await self._write(project, records)
        except BaseException:
            parts = {span.part for span in spans}
            for span in (*spans, *(later for later, _ in project.queue if later.part in parts)):
                project.left_behind(span)
            self._drop(project, parts)
            raise
        finally:
            self._waiting -= _size(records)
        for span in spans:
            self._are_copied(project, span.part, span.last_offset + 1)

    async def _catch_up(self, project: _Project) -> None:
        part, (first, last) = next(iter(project.behind.items()))
        reading = await self._log.read(part, first, last)
        if reading.lost:
            log.error("copies.lost", project=project.slug, partition=part, first=first, offsets=reading.lost)
        await self._write(project, of_project(project.id, reading.records))
        if part not in project.behind:
            return  # It is another's now.
        self._are_copied(project, part, reading.next_offset)
        first, last = project.behind[part]
        if reading.next_offset > last:
            del project.behind[part]
        else:
            project.behind[part] = reading.next_offset, last

    async def _write(self, project: _Project, records: Iterable[Record]) -> None:
        topic = project.topic
        copies = [copy_of(record, topic) for record in records]
        if copies:
            await failpoint("before_copy")
            await self._writer.write(topic, copies)
            await failpoint("after_copy")

    def _are_copied(self, project: _Project, part: int, offset: int) -> None:
        if project.id in self._projects:
            self._copied[project.id, part] = offset
            self._to_save.set()

    async def _pause(self, project: _Project, error: Exception) -> None:
        if not project.failures:
            since = datetime.now(UTC).isoformat(timespec="seconds")
            project.problem = f"{said(error, project.topic)} since {since}"
            log.error(
                "copies.wait", project=project.slug, topic=project.topic, error=f"{type(error).__name__}: {error}"
            )
        project.failures += 1
        await asyncio.sleep(min(FIRST_PAUSE_SECONDS * 2.0 ** (project.failures - 1), LONGEST_PAUSE_SECONDS))

    def _drop(self, project: _Project, partitions: Collection[int]) -> None:
        """Of these partitions nothing waits in memory any more."""
        kept = deque[tuple[Span, list[Record]]]()
        for span, records in project.queue:
            if span.part in partitions:
                self._waiting -= _size(records)
            else:
                kept.append((span, records))
        project.queue = kept


def of_project(project_id: str, records: Iterable[Record]) -> list[Record]:
    """Those that are this project's and that the loop over events took: the others are dead letters."""
    wanted = (PROJECT, project_id.encode())
    return [each for each in records if wanted in each.headers and bad_header(each.headers) is None]


def copy_of(record: Record, topic: str) -> Outgoing:
    """The same event for the outside, under the same key and id."""
    headers = [(name, value) for name, value in record.headers if value is not None]
    return Outgoing(topic, record.key, record.value, project_topics.copied_headers(headers))


def said(error: Exception, topic: str) -> str:
    """Why, and what to do, in half a sentence."""
    if isinstance(error, Missing):
        return f"the topic {topic} does not exist (`switchhook-ops project kafka` makes it)"
    return f"Kafka does not take what is written to {topic} ({error})"


def _size(records: Iterable[Record]) -> int:
    return sum(len(record.value or b"") + 500 for record in records)
