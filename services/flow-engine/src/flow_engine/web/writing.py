"""A write of the data API on its way: a record on inbound, and the engine's word about it."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any, Literal, NamedTuple, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts import inbound
from contracts.cloudevents import headers, now_text
from contracts.ids import NOBODY, new_id
from contracts.inbound import ContactUpdate, InboundBase, ReplyTo
from contracts.registry import Bot
from contracts.replies import ImportReply, RunReply
from servicekit.kafka.publisher import NotAcknowledged, Publisher
from servicekit.kafka.records import Outgoing
from servicekit.registry_view.stamps import Stamp
from servicekit.shares import Places
from servicekit.web.asking import Question, WaitingCallers, event_id_of
from servicekit.web.problems import ProblemError, unavailable

SOURCE = "switchhook/data-api"
WAIT_SECONDS = 5.0
"""So long a caller waits for the engine's word; then the answer is 202."""
MOST_WAITING = 500
"""Callers that wait at once in this process; those of one project as many as are left (servicekit.shares)."""
UNKNOWN = (
    "Kafka did not confirm it in time, so whether it was taken is unknown: send it again as it was, with the same"
    " Idempotency-Key."
)


LINES_WAIT_SECONDS = 60.0
"""So long an import waits for the engine's word on some lines, also where an engine has to be started anew meanwhile."""
MOST_RECORDS_OF_LINES = 8
"""Of imports, on their way at once from this process; those of one project as many as are left, however many files it sends: what
others write meanwhile waits behind no more than these."""
UNKNOWN_LINES = (
    "Whether the line was applied is unknown: send the same lines again with the same Idempotency-Key, and what was applied is not"
    " applied twice."
)


class Asking(Protocol):
    """What is needed of servicekit.kafka.asker.Asker."""

    @property
    def ready(self) -> bool:
        """Whether replies to what is asked from now on will be seen."""
        ...

    def ask(self, until: Literal["verdict", "rest"] = "rest") -> tuple[ReplyTo, asyncio.Future[Any]]:
        """An address for one reply, and the reply to come."""
        ...


class Stamped(Protocol):
    """What is needed of the registry view."""

    @property
    def stamp(self) -> Stamp:
        """How far it has read."""
        ...


class Asked(NamedTuple):
    """What the request says of itself. `digest` stands for what was asked, where the caller named the event by a key."""

    event_id: str
    digest: str | None
    token_id: str | None
    hops: int
    is_async: bool


def asked_by(request: Request, project_id: str, body: bytes, token_id: str | None) -> Asked:
    """Raises ProblemError 400 for an Idempotency-Key that is none."""
    key = request.headers.get("idempotency-key")
    keyed = None if key is None else key.encode("latin-1")
    event_id = event_id_of(keyed, project_id, f"{request.method} {request.url.path}")
    digest = digest_of(body + request.headers.get("if-match", "").encode()) if key else None
    hops = request.headers.get("switchhook-hops", "0")
    is_async = "respond-async" in request.headers.get("prefer", "").lower()
    return Asked(event_id, digest, token_id, int(hops) if hops.isdecimal() and len(hops) < 4 else 0, is_async)


class Writes:
    """Writes records and waits for what the engine says of them."""

    def __init__(self, publisher: Publisher, asker: Asking, view: Stamped) -> None:
        self._publisher, self._asker, self._view = publisher, asker, view
        self.callers = WaitingCallers(MOST_WAITING)
        self.records_of_lines = Places(MOST_RECORDS_OF_LINES)
        """Places of projects' records for `apply_lines`."""

    async def apply(
        self, asked: Asked, project_id: str, bot_id: str, own: str, change: dict[str, Any]
    ) -> RunReply | None:
        """A write of a contact; `own` is the contact's own name in the record's key. See `write`."""
        place = {"project_id": project_id, "bot_id": bot_id, "channel_id": NOBODY, "peer_id": NOBODY}
        return await self.write(asked, f"{bot_id}/{NOBODY}/{own}", ContactUpdate, place | change)

    async def write(self, asked: Asked, key: str, model: type[InboundBase], fields: dict[str, Any]) -> RunReply | None:
        """The engine's word; None: it is in Kafka, and there was no word in time, or none was to be waited for.

        `fields` are the record's own, with those of InboundBase that name its place. Raises ProblemError 429 or 503.
        """
        project_id: str = fields["project_id"]
        if asked.is_async:
            await self._publish(asked, key, model, fields, None)
            return None
        if not self._asker.ready:
            raise unavailable("The engine's answers cannot be read yet; send the request again.")
        with self.callers.one_of(project_id), Question(*self._asker.ask()) as question:
            await self._publish(asked, key, model, fields, question.reply_to)
            return await question.answer(WAIT_SECONDS)

    async def apply_lines(self, asked: Asked, bot: Bot, own: str, lines: list[dict[str, Any]]) -> ImportReply:
        """The engine's word on these lines of an import (contracts.imported.ImportedContact), for who holds one of the
        `records_of_lines`. Raises ProblemError 503."""
        if not self._asker.ready:
            raise unavailable("The engine's answers cannot be read yet; send the lines again.")
        reply_to, future = self._asker.ask()
        try:
            body = {"kind": "contact_import", "lines": lines, "reply_to": reply_to.model_dump()}
            about = _about(bot.project_id, bot.id) | {"token_id": asked.token_id, "hops": asked.hops}
            await self._lay(new_id(), bot.project_id, f"{bot.id}/{NOBODY}/{own}", "contact_import", about | body)
            async with asyncio.timeout(LINES_WAIT_SECONDS):
                reply: ImportReply = await future
        except TimeoutError:
            raise unavailable(UNKNOWN_LINES) from None
        finally:
            future.cancel()
        return reply

    async def _lay(self, id: str, project_id: str, key: str, kind: str, body: dict[str, Any]) -> None:
        made = headers(
            id=id, type=f"inbound.{kind}", source=SOURCE, time=body["received_at"], subject=key, project=project_id
        )  # fmt: skip
        made += self._view.stamp.headers()
        value = orjson.dumps({name: one for name, one in body.items() if one is not None})
        try:
            await self._publisher.publish(Outgoing(inbound.TOPIC.name, key.encode(), value, made))
        except NotAcknowledged as error:
            raise unavailable(UNKNOWN_LINES) from error

    async def _publish(
        self,
        asked: Asked,
        key: str,
        model: type[InboundBase],
        fields: dict[str, Any],
        reply_to: ReplyTo | None,
    ) -> None:
        now = now_text()
        asker = {"reply_to": reply_to, "request_digest": asked.digest, "token_id": asked.token_id, "hops": asked.hops}
        body = model.model_validate(fields | {"received_at": now} | asker)
        made = headers(
            id=asked.event_id, type=f"inbound.{model.model_fields['kind'].default}", source=SOURCE, time=now, subject=key,
            project=body.project_id,
        )  # fmt: skip
        made += self._view.stamp.headers()
        try:
            await self._publisher.publish(Outgoing(inbound.TOPIC.name, key.encode(), body.encode(), made))
        except NotAcknowledged as error:
            raise unavailable(UNKNOWN) from error


def _about(project_id: str, bot_id: str) -> dict[str, Any]:
    """What records of contacts themselves have in common."""
    return {
        "project_id": project_id,
        "bot_id": bot_id,
        "channel_id": NOBODY,
        "peer_id": NOBODY,
        "received_at": now_text(),
    }


def digest_of(content: bytes) -> str:
    """Stands for what was asked under a name that the caller chose."""
    return sha256(content).hexdigest()[:32]


def accepted(asked: Asked) -> Response:
    """It is in Kafka, and will be applied."""
    body = {"event_id": asked.event_id, "status": "accepted"}
    return JSONResponse(body, 202, headers={"location": f"/v1/events/{asked.event_id}"})


def problem_of(reply: RunReply) -> ProblemError:
    """What the engine refused, as the answer."""
    refused = reply.problem
    assert refused is not None, "a write that was not made says why"
    return ProblemError(refused.type, refused.status, refused.title, refused.detail, reason=refused.reason)
