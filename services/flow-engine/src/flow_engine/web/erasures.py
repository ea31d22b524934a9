"""A person is erased by DELETE: the job, how far it is, and what remains where until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

import asyncpg
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts import actions, commands, dlq, events, findings, inbound, project_topics, replies
from contracts.cloudevents import rfc3339
from contracts.ids import NOBODY, derived_id
from contracts.inbound import Erase
from contracts.registry import Project
from contracts.topic import Topic
from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.store import contact_lists, erasures
from flow_engine.store.erasures import Progress
from flow_engine.web import writing
from flow_engine.web.contacts import contact_id_of
from flow_engine.web.writing import Writes
from servicekit.web.auth import Caller
from servicekit.web.problems import not_found, unavailable
from servicekit.web.routes import Handler

ERASE = "DELETE /v1/contacts/{contact}"
SHOW = "GET /v1/contacts/erasures/{erasure}"
TOPICS: tuple[tuple[Topic, str], ...] = (
    (commands.TOPIC, "commands for the person that came over Kafka"),
    (inbound.TOPIC, "what happened to the person, and what the person wrote"),
    (actions.TOPIC, "messages, calls and webhooks for the person"),
    (events.TOPIC, "events about the person"),
    (findings.TOPIC, "calls of triggers"),
    (replies.TOPIC, "answers to callers who waited"),
    *((dlq.topic_for(service), "records that could not be processed") for service in dlq.SERVICES),
)
"""Those whose records may name a person, and what these records are."""
REQUESTS = timedelta(days=8)
"""So long the registry keeps the last requests of a trigger; one that became no event is nobody's."""


class Deps(Protocol):
    """What these routes need; `pool` raises ProblemError 503 while the database was never there."""

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]: ...

    @property
    def writes(self) -> Writes:
        """The way into Kafka."""
        ...

    @property
    def pseudonyms(self) -> Pseudonyms:
        """What keys are hashed with."""
        ...

    def project(self, project_id: str) -> Project | None:
        """A project by id."""
        ...


class StoreErased(BaseModel):
    """What one service has of the person."""

    service: Literal["flow-engine", "dispatcher"]
    what: str
    keys: int
    erased: int


class Remains(BaseModel):
    """Where records of the person remain."""

    where: str
    what: str
    until: str | None


class Erasure(BaseModel):
    """An erasure, begun or done."""

    id: str
    contact_id: str
    status: Literal["accepted", "running", "done"]
    """accepted: it is in Kafka, and not begun. done: neither service has anything of the person."""
    asked_at: str | None
    stores: list[StoreErased]
    """What was erased where."""
    remains: list[Remains]
    """Where records of the person remain, and until when."""


class ErasureAnswer(BaseModel):
    """The job that erases a person."""

    job: Erasure
    """How far it is."""


class Place(NamedTuple):
    """Whose contact it is."""

    project_id: str
    bot_id: str
    contact_id: str


def handlers(deps: Deps) -> dict[str, Handler]:
    """By the names of their rows."""

    async def erase(request: Request, caller: Caller) -> Response:
        id = contact_id_of(request)
        async with deps.pool.acquire() as connection:
            known = await contact_lists.find(connection, id)
            begun = await erasures.progress(connection, erasures.job_of(id))
        of = known.project_id if known else begun.project_id if begun else ""
        if caller.project not in (of, None) or not of:
            raise not_found("The contact")
        if known is not None:
            id = known.contact.id
            await write(request, caller, Place(of, known.bot_id, id))
        elif begun is not None and begun.bot_id is not None:
            id = begun.contact_id
            await write(request, caller, Place(of, begun.bot_id, id))
        async with deps.pool.acquire() as connection:
            begun = await erasures.progress(connection, erasures.job_of(id))
        job = shown(erasures.job_of(id), id, begun, deps.project(of))
        return JSONResponse({"job": job}, 202, headers={"location": f"/v1/contacts/erasures/{job['id']}"})

    async def write(request: Request, caller: Caller, place: Place) -> None:
        """Have it erased, or who it is by then, and what is lost of that done again. Raises ProblemError."""
        if not deps.pseudonyms:
            raise unavailable("SWITCHHOOK_LINK_KEY is not set: without it nobody can be erased.")
        of, bot_id, id = place
        asked = writing.asked_by(request, of, await request.body(), caller.token_id)
        asked = asked._replace(event_id=derived_id(asked.event_id, id))
        key = {"project_id": of, "bot_id": bot_id, "channel_id": NOBODY, "peer_id": NOBODY}
        wanted = {"erasure": erasures.job_of(id), "contact_ids": (id,), "begins": True}
        reply = await deps.writes.write(asked, f"{bot_id}/{NOBODY}/{id}", Erase, key | wanted)
        if reply is not None and reply.problem is not None:
            raise writing.problem_of(reply)

    async def show(request: Request, caller: Caller) -> Response:
        try:
            id = str(UUID(request.path_params["erasure"]))
        except ValueError:
            raise not_found("The erasure") from None
        async with deps.pool.acquire() as connection:
            found = await erasures.progress(connection, id)
        if found is None or caller.project not in (found.project_id, None):
            raise not_found("The erasure")
        return JSONResponse({"job": shown(found.id, found.contact_id, found, deps.project(found.project_id))})

    return {ERASE: erase, SHOW: show}


def shown(id: str, contact_id: str, begun: Progress | None, project: Project | None) -> dict[str, Any]:
    """The job as callers see it; `id` and `contact_id` until it has begun, which may be as another one's."""
    since = (begun.last_erased if begun else None) or datetime.now(UTC)
    return {
        "id": begun.id if begun else id,
        "contact_id": begun.contact_id if begun else contact_id,
        "status": "accepted" if begun is None else "done" if begun.is_done else "running",
        "asked_at": rfc3339(begun.asked_at) if begun else None,
        "stores": [] if begun is None else _stores(begun),
        "remains": [*_remains(since, project)],
    }


def _stores(begun: Progress) -> list[dict[str, Any]]:
    engine = "contact, conversations with their sessions, timers and events that waited, chat log, event log"
    sent = "what was to be delivered, requests and answers"
    return [
        {"service": "flow-engine", "what": engine, "keys": begun.keys, "erased": begun.erased},
        {"service": "dispatcher", "what": sent, "keys": begun.keys, "erased": begun.delivered},
    ]


def _remains(since: datetime, project: Project | None) -> Iterator[dict[str, Any]]:
    own = project_topics.topics_of(project.slug) if project and project.own_topics else ()
    for topic, what in (*TOPICS, *((one, "the project's own commands and copies of its events") for one in own)):
        until = since + timedelta(milliseconds=topic.retention_ms)
        yield {"where": topic.name, "what": what, "until": rfc3339(until)}
    refused = "calls of triggers that were refused, as the trigger's author sees them"
    yield {"where": "registry", "what": refused, "until": rfc3339(since + REQUESTS)}
    yield {"where": "backups", "what": "whatever they hold: that is the operator's", "until": None}
