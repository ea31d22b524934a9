"""Contacts and chat logs: a page, their number, one contact, all of them as a stream; one made, changed, merged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import asyncpg
import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from contracts.registry import Bot, Segment
from contracts.replies import RunReply
from flow_engine.segments.members import Segments, evaluated, read_filter
from flow_engine.state.limits import LONGEST_TITLE
from flow_engine.store import chat_log, contact_lists
from flow_engine.store.chat_log import Line, LinePlace
from flow_engine.store.contact_lists import ContactPage, Filter, Listed, Place
from flow_engine.web import contact_changes, views, writing
from flow_engine.web.contact_changes import ContactChange, Merge, NewContact
from flow_engine.web.importing import Import
from flow_engine.web.writing import Asked, Writes
from flowlang.segments.filter import SegmentFilter
from servicekit.loop.batches import Infrastructure
from servicekit.storable import moment_of
from servicekit.web.auth import Caller
from servicekit.web.pagination import MAX_LIMIT, NO_CURSOR, decode_cursor, encode_cursor, page, page_limit
from servicekit.web.problems import ProblemError, not_found, unavailable
from servicekit.web.requests import invalid_query
from servicekit.web.routes import Handler

LIST = "GET /v1/contacts"
COUNT = "GET /v1/contacts/count"
EXPORT = "GET /v1/contacts/export"
SHOW = "GET /v1/contacts/{contact}"
MAKE = "POST /v1/contacts"
CHANGE = "PATCH /v1/contacts/{contact}"
IMPORT = "POST /v1/contacts/import"
MERGE = "POST /v1/contacts/{contact}/merge"
CHAT_LOG = "GET /v1/chatlogs"
NDJSON = "application/x-ndjson"
MOST_WORDS, LONGEST_FILTER = 8, 1024


class Deps(Protocol):
    """What these routes need; `pool` raises ProblemError 503 while the database was never there."""

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]: ...

    def bot(self, bot_id: str) -> Bot | None:
        """A bot by id."""
        ...

    def bots(self, project_id: str) -> list[Bot]:
        """Those of a project."""
        ...

    def segment(self, project_id: str, id_or_name: str) -> Segment | None:
        """A project's segment."""
        ...

    @property
    def segments(self) -> Segments:
        """Who is in them."""
        ...

    @property
    def writes(self) -> Writes:
        """The way into Kafka."""
        ...


def handlers(deps: Deps) -> dict[str, Handler]:
    """By the names of their rows."""

    async def list_contacts(request: Request, caller: Caller) -> Response:
        query = request.query_params
        asked, limit = asked_of(query, caller, deps), page_limit(query.get("limit"))
        found = await page_of(deps, asked, _place(query.get("cursor")), limit)
        following = encode_cursor(*found.next) if found.next else None
        how = {"evaluated": evaluated(asked.segment)} if asked.segment else {}
        return JSONResponse({"items": [views.contact(one) for one in found.items], "next": following, **how})

    async def count(request: Request, caller: Caller) -> Response:
        asked = asked_of(request.query_params, caller, deps)
        with _unavailable():
            found = await deps.segments.count(deps.pool, asked.project_id, asked.filter, asked.segment)
        how = {"evaluated": evaluated(asked.segment)} if asked.segment else {}
        return JSONResponse({"count": found.number, "is_exact": found.is_exact, **how})

    async def export(request: Request, caller: Caller) -> Response:
        asked = asked_of(request.query_params, caller, deps)
        if request.method == "HEAD":
            return Response(media_type=NDJSON)
        return StreamingResponse(exported(deps, asked), media_type=NDJSON)

    async def show(request: Request, caller: Caller) -> Response:
        return _shown(await found_by(deps, caller, contact_id_of(request)))

    async def make(request: Request, caller: Caller) -> Response:
        sent = await request.body()
        new = contact_changes.read(sent, NewContact)
        bot = bot_of(new.bot, caller, deps, pointer="#/bot")
        asked = writing.asked_by(request, bot.project_id, sent, caller.token_id)
        reply = await deps.writes.apply(asked, bot.project_id, bot.id, asked.event_id, contact_changes.made(new))
        return await _answered(deps, caller, asked, reply, 201)

    async def change(request: Request, caller: Caller) -> Response:
        wanted = contact_changes.changed(contact_changes.read(await request.body(), ContactChange))
        known = await found_by(deps, caller, contact_id_of(request))
        return await _written(deps, caller, request, known, wanted)

    async def chat_logs(request: Request, caller: Caller) -> Response:
        query = request.query_params
        limit = page_limit(query.get("limit"))
        contact_id = _uuid(query["contact"], "contact") if "contact" in query else None
        bot_id = await log_of(deps, caller, query.get("bot"), contact_id)
        async with deps.pool.acquire() as connection:
            found = await chat_log.lines(
                connection,
                bot_id,
                contact_id=contact_id,
                since=_since(query.get("since")),
                after=_line_place(query.get("cursor")),
                limit=limit + 1,
            )
        shown, following = page(found, limit, _line_key)
        return JSONResponse({"items": [views.line(one) for one in shown], "next": following})

    async def merge(request: Request, caller: Caller) -> Response:
        other_id = contact_changes.read(await request.body(), Merge).contact
        known = await found_by(deps, caller, contact_id_of(request))
        other = await found_by(deps, caller, str(other_id))
        if other.bot_id != known.bot_id:
            raise not_found("The contact")
        return await _written(deps, caller, request, known, {"merge": str(other_id)})

    async def take(request: Request, caller: Caller) -> Response:
        bot = bot_of(request.query_params.get("bot"), caller, deps)
        return Import(request, writing.asked_by(request, bot.id, b"", caller.token_id), bot, deps.writes)

    return {
        LIST: list_contacts,
        COUNT: count,
        EXPORT: export,
        SHOW: show,
        MAKE: make,
        CHANGE: change,
        MERGE: merge,
        IMPORT: take,
        CHAT_LOG: chat_logs,
    }


class AskedFor(NamedTuple):
    """`segment`: only its members."""

    project_id: str
    filter: Filter
    segment: SegmentFilter | None


async def page_of(deps: Deps, asked: AskedFor, after: Place | None, limit: int) -> ContactPage:
    """Raises ProblemError 503."""
    if asked.segment is not None:
        with _unavailable():
            return await deps.segments.page(deps.pool, asked.project_id, asked.filter, asked.segment, after, limit)
    async with deps.pool.acquire() as connection:
        return await contact_lists.page(connection, asked.filter, after, limit)


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except Infrastructure as error:
        raise unavailable("No process can be started that would ask the segment's filter.") from error


async def exported(deps: Deps, asked: AskedFor) -> AsyncIterator[bytes]:
    """A line for each contact. Between two pages no connection is held: the client may be slow."""
    after: Place | None = None
    while True:
        found = await page_of(deps, asked, after, MAX_LIMIT)
        yield b"".join(orjson.dumps(views.contact(one)) + b"\n" for one in found.items)
        if (after := found.next) is None:
            return


def asked_of(query: QueryParams, caller: Caller, deps: Deps) -> AskedFor:
    """What a list asks for. Raises ProblemError."""
    for name in ("tag", "flag", "q", "segment"):
        if not 0 < len(query.get(name, "?")) <= LONGEST_FILTER:
            raise invalid_query(name, f"a text of 1 to {LONGEST_FILTER} characters.")
    bot = bot_of(query.get("bot"), caller, deps)
    asked = Filter(bot.id, query.get("tag"), query.get("flag"), words_of(query.get("q")))
    if (title := query.get("webhook_title")) is not None:
        asked = asked._replace(webhook_title=title[:LONGEST_TITLE])
    return AskedFor(bot.project_id, asked, segment_of(query.get("segment"), bot.project_id, deps))


def segment_of(id_or_name: str | None, project_id: str, deps: Deps) -> SegmentFilter | None:
    """The filter of a project's segment. Raises ProblemError 404."""
    if id_or_name is None:
        return None
    segment = deps.segment(project_id, id_or_name)
    if segment is None:
        raise not_found("The segment")
    try:
        return read_filter(segment.filter)
    except ValueError as error:  # An earlier release took it.
        raise invalid_query("segment", f"its filter cannot be asked any more: {error}.") from error


def words_of(text: str | None) -> tuple[str, ...]:
    """The words that a search is for; a phone number is one of them, without what is written between its digits."""
    if text is None:
        return ()
    digits = text.translate(str.maketrans("", "", " +()-./"))
    words = [digits] if digits.isdecimal() else [word.lstrip("@") for word in text.split()]
    if not any(words) or len(words) > MOST_WORDS:
        raise invalid_query("q", f"1 to {MOST_WORDS} words, or their beginnings.")
    return tuple(filter(None, words))


def bot_of(id: str | None, caller: Caller, deps: Deps, *, pointer: str = "query/bot") -> Bot:
    """Whose contacts: the bot that is named, or the only one that the project has. Raises ProblemError 404 or 422.

    `pointer`: where it is named, for the answer.
    """
    if id is not None:
        bot = deps.bot(id)
        if bot is None or caller.project not in (bot.project_id, None):
            raise not_found("The bot")
        return bot
    bots = deps.bots(caller.project_id)
    if len(bots) != 1:
        detail = f"say which: the project has {len(bots)} bots."
        errors = [{"pointer": pointer, "detail": detail}]
        raise ProblemError("invalid", 422, "Invalid request", f"bot: {detail}", errors=errors)
    return bots[0]


async def log_of(deps: Deps, caller: Caller, bot_id: str | None, contact_id: str | None) -> str:
    """Whose chat log: the bot that is named, else the contact's. Raises ProblemError 404 or 422."""
    if bot_id is None and contact_id is not None:
        async with deps.pool.acquire() as connection:
            found = await contact_lists.find(connection, contact_id)
        if found is not None and caller.project in (found.project_id, None):
            return found.bot_id
    return bot_of(bot_id, caller, deps).id


async def found_by(deps: Deps, caller: Caller, id: str) -> Listed:
    """Raises ProblemError 404."""
    async with deps.pool.acquire() as connection:
        found = await contact_lists.find(connection, id)
    if found is None or caller.project not in (found.project_id, None):
        raise not_found("The contact")
    return found


def _shown(found: Listed, status: int = 200) -> Response:
    return JSONResponse(views.contact(found), status, headers={"etag": _etag(found)})


def _etag(found: Listed) -> str:
    return f'"{found.version}"'


async def _written(deps: Deps, caller: Caller, request: Request, known: Listed, wanted: dict[str, Any]) -> Response:
    """A contact that there is, changed as `wanted`, where it is still as If-Match says."""
    asked = writing.asked_by(request, known.project_id, await request.body(), caller.token_id)
    wanted["if_version"] = _version(request.headers.get("if-match"), known)
    reply = await deps.writes.apply(asked, known.project_id, known.bot_id, known.contact.id, wanted)
    return await _answered(deps, caller, asked, reply, of=known)


async def _answered(
    deps: Deps, caller: Caller, asked: Asked, reply: RunReply | None, status: int = 200, *, of: Listed | None = None
) -> Response:
    """The contact as it is now; 202 where it is in Kafka, and will be applied. Raises ProblemError for what was refused.

    `of`: the contact that was to be changed.
    """
    if reply is None:
        return writing.accepted(asked)
    if reply.contact_id is None:
        problem = writing.problem_of(reply)
        if of is not None and problem.type_slug == "stale":
            raise _stale(problem.detail, await found_by(deps, caller, of.contact.id))
        raise problem
    answer = _shown(await found_by(deps, caller, reply.contact_id), status)
    if status == 201:
        answer.headers["location"] = f"/v1/contacts/{reply.contact_id}"
    return answer


def _stale(detail: str | None, found: Listed) -> ProblemError:
    return ProblemError("stale", 412, "Changed meanwhile", detail, headers={"etag": _etag(found)})


def _version(if_match: str | None, found: Listed) -> int | None:
    """Raises ProblemError 412 for what is no ETag of a contact."""
    if if_match in (None, "*"):
        return None
    number = if_match.strip('"')
    if not number.isdecimal() or len(number) > 18:
        raise _stale("If-Match is an ETag as a contact is shown with.", found)
    return int(number)


def contact_id_of(request: Request) -> str:
    """Raises ProblemError 404 for what is no id."""
    try:
        return str(UUID(request.path_params["contact"]))
    except ValueError:
        raise not_found("The contact") from None


def _uuid(text: str, name: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise invalid_query(name, "the id of a contact.") from None


def _since(text: str | None) -> datetime | None:
    try:
        return None if text is None else moment_of(text)
    except ValueError as error:
        raise invalid_query("since", f"{error}.") from error


def _place(cursor: str | None) -> Place | None:
    key = decode_cursor(cursor, str, UUID)
    return None if key is None else Place(*key)


def _line_key(said: Line) -> tuple[str, str, int, int]:
    return said.at.isoformat(), said.conversation, said.seq, said.place


def _line_place(cursor: str | None) -> LinePlace | None:
    key = decode_cursor(cursor, str, UUID, int, int)
    try:
        return None if key is None else LinePlace(moment_of(key[0]), key[1], _number(key[2], 31), _number(key[3], 63))
    except ValueError:
        raise invalid_query("cursor", NO_CURSOR) from None


def _number(value: Any, bits: int) -> int:
    """Raises ValueError past what its column holds."""
    if not -1 <= value < 1 << bits:
        raise ValueError(value)
    return int(value)
