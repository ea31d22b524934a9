"""`POST /v1/contacts/import`: contacts as a stream of lines, a report of each line as a stream back.

Lines are read as they come, laid on inbound in records of many lines (flow_engine.batch.importing), and reported in their order when
the engine has applied them. So many records are on their way at once and no more, of an import and of all imports of a project: who
sends faster waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contracts.contact_fields import Labels
from contracts.ids import derived_id
from contracts.registry import Bot
from contracts.replies import ImportReply
from flow_engine.web import contact_changes
from flow_engine.web.contact_changes import ContactFields
from flow_engine.web.writing import Asked, Writes
from servicekit.web.bounded_http import has_gone, take_its_time
from servicekit.web.problems import ProblemError
from servicekit.web.requests import ClientGone

NDJSON = "application/x-ndjson"
LONGEST_LINE = 64 * 1024
"""Bytes of one line; a longer one is refused by itself."""
LINES, LABELS, BYTES = 250, 500, 512 * 1024
"""Of one record at most: lines, the tags and flags of all of them, of which each is an event, and bytes."""
RECORDS = 4
"""On their way at once, of one import."""
PAUSE_SECONDS = 0.05
"""When nothing has come for so long, what has come is sent: who waits for a line's report gets it."""
PIECES = 8
"""Pieces of the body that are kept while records are on their way."""


class ImportLine(ContactFields):
    """A contact: the one of that `id`, or of that `external_id`, is changed; where nobody has it, and without either, one is made."""

    id: UUID | None = None
    """The contact to be changed."""
    tags: Labels = ()
    """Tags to add."""
    remove_tags: Labels = ()
    """Tags to take away."""
    flags: Labels = ()
    """Flags to add."""
    remove_flags: Labels = ()
    """Flags to take away."""


class Line(NamedTuple):
    """A line as it came; `text` None: it was too long. `number` counts from 1, empty lines too."""

    number: int
    text: bytes | None


@dataclass(slots=True)
class Chunk:
    """Lines that are sent together, in their order: each as the engine takes it, or the problem with it."""

    numbers: list[int] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[int, ProblemError] = field(default_factory=dict)
    labels: int = 0
    size: int = 0

    def add(self, line: Line, asked: Asked, about: str) -> None:
        """Check a line and take it."""
        self.numbers.append(line.number)
        try:
            made = _checked(line, asked, about)
        except ProblemError as problem:
            self.problems[line.number] = problem
            return
        self.lines.append(made)
        self.size += len(line.text or b"")
        self.labels += len(made["add_tags"]) + len(made["remove_tags"])
        self.labels += len(made["add_flags"]) + len(made["remove_flags"])

    @property
    def is_full(self) -> bool:
        return len(self.numbers) >= LINES or self.labels >= LABELS or self.size >= BYTES


def _checked(line: Line, asked: Asked, about: str) -> dict[str, Any]:
    """The fields of contracts.imported.ImportedContact. Raises ProblemError."""
    if line.text is None:
        raise ProblemError("too-large", 413, "Line too long", f"A line has {LONGEST_LINE} bytes at most.")
    given = contact_changes.read(line.text, ImportLine)
    made = {
        **contact_changes.fields_changed(given),
        "line": line.number,
        "event_id": derived_id(about, line.number),
        "add_tags": given.tags,
        "remove_tags": given.remove_tags,
        "add_flags": given.flags,
        "remove_flags": given.remove_flags,
    }
    if asked.digest:
        made["digest"] = sha256(line.text).hexdigest()[:32]
    if given.id is not None:
        made["contact_id"] = str(given.id)
    return made


class Import(Response):
    """Reads the request's body and answers at the same time."""

    media_type = NDJSON

    def __init__(self, request: Request, asked: Asked, bot: Bot, writes: Writes) -> None:
        super().__init__(media_type=NDJSON)
        del self.headers["content-length"]
        self._request, self._asked, self._bot, self._writes = request, asked, bot, writes
        self._about = asked.event_id
        """What the ids of its lines follow from, and its own name in the key of its records."""
        self._pieces = asyncio.Queue[bytes | None](PIECES)
        self._on_their_way = asyncio.Queue[asyncio.Task[list[dict[str, Any]]] | None](RECORDS)
        self._broken: ProblemError | None = None
        """Why the body could not be read to its end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ClientGone where the client went away: what was sent until then is applied."""
        take_its_time(scope)
        with self._writes.callers.one_of(self._bot.project_id):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            helpers = [asyncio.create_task(self._read(receive)), asyncio.create_task(self._send_chunks(scope))]
            try:
                await self._report(send, helpers)
            finally:
                for task in [*helpers, *self._left()]:
                    task.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)

    async def _read(self, receive: Receive) -> None:
        """Take the body as it comes; one that cannot be read on, such as broken gzip, ends there."""
        while True:
            try:
                message = await receive()
            except ProblemError as problem:
                self._broken = problem
                await self._pieces.put(None)
                return
            if message["type"] != "http.request":
                raise ClientGone
            if piece := message.get("body", b""):
                await self._pieces.put(piece)
            if not message.get("more_body", False):
                await self._pieces.put(None)
                return

    async def _send_chunks(self, scope: Scope) -> None:
        """Lay records as long as there is room for more on their way. Raises ClientGone: nobody would read what became of more."""
        chunk = Chunk()
        async for line in self._lines():
            if line is not None:
                chunk.add(line, self._asked, self._about)
            if chunk.is_full or (line is None and chunk.numbers):
                await self._on_their_way.put(await self._laid(chunk, scope))
                chunk = Chunk()
        await self._on_their_way.put(None)

    async def _laid(self, chunk: Chunk, scope: Scope) -> asyncio.Task[list[dict[str, Any]]]:
        """Waits for a place here and not in the task: an import's records are laid in their order."""
        places, project = self._writes.records_of_lines, self._bot.project_id
        await places.take(project)
        if has_gone(scope):
            places.give(project)
            raise ClientGone
        task = asyncio.create_task(self._applied(chunk))
        task.add_done_callback(lambda _: places.give(project))
        return task

    async def _lines(self) -> AsyncIterator[Line | None]:
        """None: no more comes for the moment, or at all."""
        rest, number, is_long = b"", 0, False
        while True:
            piece = await self._next_piece()
            if piece is None:
                yield None
                piece = await self._pieces.get()
            if piece is None:
                break
            *whole, rest = (rest + piece).split(b"\n")
            for text in whole:
                number += 1
                if is_long or len(text) > LONGEST_LINE:
                    yield Line(number, None)
                elif text.strip():
                    yield Line(number, text)
                is_long = False
            if len(rest) > LONGEST_LINE:
                rest, is_long = b"", True
        if self._broken is None and (is_long or rest.strip()):
            yield Line(number + 1, None if is_long else rest)
        yield None

    async def _next_piece(self) -> bytes | None:
        """None: there is none yet, or there are no more, which the queue says once more."""
        try:
            async with asyncio.timeout(PAUSE_SECONDS):
                piece = await self._pieces.get()
        except TimeoutError:
            return None
        if piece is None:
            self._pieces.put_nowait(None)
        return piece

    async def _applied(self, chunk: Chunk) -> list[dict[str, Any]]:
        """The report of each of its lines."""
        told: dict[int, dict[str, Any]] = {number: _refused(problem) for number, problem in chunk.problems.items()}
        if chunk.lines:
            try:
                reply = await self._writes.apply_lines(self._asked, self._bot, self._about, chunk.lines)
                told |= _reported(reply)
            except ProblemError as unknown:
                told |= {line["line"]: _refused(unknown) for line in chunk.lines}
        return [{"line": number, **told[number]} for number in chunk.numbers]

    async def _report(self, send: Send, helpers: list[asyncio.Task[None]]) -> None:
        count = failed = 0
        while True:
            getting = asyncio.create_task(self._on_their_way.get())
            try:
                await asyncio.wait(
                    [getting, *(task for task in helpers if not task.done())], return_when="FIRST_COMPLETED"
                )
                for task in helpers:
                    if task.done():
                        task.result()
                task_or_end = await getting
            finally:
                getting.cancel()
            if task_or_end is None:
                break
            lines = await task_or_end
            count, failed = count + len(lines), failed + sum("problem" in line for line in lines)
            await send(_part(b"".join(orjson.dumps(line) + b"\n" for line in lines), more=True))
        last = {"lines": count, "failed": failed} if self._broken is None else _refused(self._broken)
        await send(_part(orjson.dumps(last) + b"\n", more=False))

    def _left(self) -> list[asyncio.Task[Any]]:
        left = []
        while not self._on_their_way.empty():
            if (task := self._on_their_way.get_nowait()) is not None:
                left.append(task)
        return left


def _part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


def _reported(reply: ImportReply) -> dict[int, dict[str, Any]]:
    return {
        line.line: {"id": line.contact_id}
        if line.problem is None
        else {"problem": line.problem.model_dump(exclude_none=True)}
        for line in reply.lines
    }


def _refused(problem: ProblemError) -> dict[str, Any]:
    """As in a reply: the type without the address of its page."""
    told = {"type": problem.type_slug, "title": problem.title, "status": problem.status, "detail": problem.detail}
    return {"problem": told}
