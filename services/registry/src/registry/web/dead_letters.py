"""What an operator does about dead letters: list and show them, release and discard them. By the names of their rows."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts import dlq
from contracts.cloudevents import rfc3339_ms
from registry.kafka.dead_letters import MOST_READ, Letter, Place, place_of, released
from registry.store import postgres_settled_letters as settled
from registry.web.api import Api, Handler
from servicekit.kafka.records import Outgoing
from servicekit.web.pagination import decode_cursor, encode_cursor, page_limit
from servicekit.web.problems import ProblemError, not_found
from servicekit.web.requests import invalid_query

VALUE_SHOWN = 16 * 1024
"""Characters of a record's value that are shown."""


class Letters(Protocol):
    """Where dead letters are: registry.kafka.dead_letters.DeadLetters."""

    async def after(self, service: str, last: Place | None, limit: int) -> list[Letter]:
        """The letters of a service behind that place, in order."""
        ...

    async def find(self, place: Place) -> Letter | None:
        """The letter at a place."""
        ...

    async def publish(self, record: Outgoing) -> None:
        """Write a released record."""
        ...


def handlers(api: Api, letters: Letters) -> dict[str, Handler]:
    async def list_letters(request: Request) -> Response:
        query = request.query_params
        limit, services = page_limit(query.get("limit")), _services(query.get("service"))
        after = decode_cursor(query.get("cursor"), str, int, int)
        found, following = await _open_ones(services, Place(*after) if after else None, limit)
        return JSONResponse({"items": [summary(letter, "open") for letter in found], "next": following})

    async def _open_ones(services: list[str], last: Place | None, limit: int) -> tuple[list[Letter], str | None]:
        """The next letters that nobody has dealt with, and where the page after them begins."""
        if last is not None:
            services = services[services.index(last.service) :] if last.service in services else []
        found: list[Letter] = []
        room = MOST_READ
        for service in services:
            while room > 0:
                read = await letters.after(service, last, min(room, 2 * limit))
                for letter, state in zip(read, await _states(read), strict=True):
                    last = letter.place
                    if state == "open":
                        found.append(letter)
                    if len(found) == limit:
                        return found, encode_cursor(*last)
                room -= len(read)
                if not read:
                    break
            if room <= 0:
                return found, encode_cursor(*last) if last else None
            last = None
        return found, None

    async def _states(read: list[Letter]) -> list[str]:
        async with api.database.pool.acquire() as connection:
            return await settled.states(connection, [letter.key for letter in read])

    async def _letter(id: str) -> tuple[Letter, str]:
        place = place_of(id)
        letter = await letters.find(place) if place else None
        if letter is None:
            raise not_found("The dead letter")
        return letter, (await _states([letter]))[0]

    async def show(request: Request, id: str) -> Response:
        letter, state = await _letter(id)
        return JSONResponse(shown(letter, state))

    async def settle(id: str, how: str) -> Response:
        letter, state = await _letter(id)
        if state != "open":
            raise ProblemError("already-settled", 409, "Already settled", f"It was {state} before.")
        if how == "released":
            await letters.publish(released(letter))
        async with api.database.pool.acquire() as connection:
            await settled.settle(connection, letter.key, how)
        return JSONResponse(summary(letter, how))

    async def release(request: Request, id: str) -> Response:
        return await settle(id, "released")

    async def discard(request: Request, id: str) -> Response:
        return await settle(id, "discarded")

    return {
        "GET /v1/dlq": list_letters,
        "GET /v1/dlq/{id}": show,
        "POST /v1/dlq/{id}/release": release,
        "POST /v1/dlq/{id}/discard": discard,
    }


def _services(named: str | None) -> list[str]:
    """Raises ProblemError 422 for a service that there is not."""
    if named is None:
        return list(dlq.SERVICES)
    if named not in dlq.SERVICES:
        raise invalid_query("service", f"one of {', '.join(dlq.SERVICES)}.")
    return [named]


def summary(letter: Letter, state: str) -> dict[str, Any]:
    """A letter as the list shows it."""
    headers = _texts(letter)
    return {
        "id": letter.place.id,
        "service": letter.place.service,
        "state": state,
        "code": headers.get(dlq.ERROR_CODE),
        "message": headers.get(dlq.ERROR_MESSAGE),
        "attempts": _number(headers.get(dlq.ATTEMPTS)),
        "topic": headers.get(dlq.ORIGINAL_TOPIC),
        "partition": _number(headers.get(dlq.ORIGINAL_PARTITION)),
        "offset": _number(headers.get(dlq.ORIGINAL_OFFSET)),
        "event_id": headers.get("ce_id"),
        "type": headers.get("ce_type"),
        "key": None if letter.record.key is None else letter.record.key.decode(errors="replace"),
        "at": rfc3339_ms(letter.record.timestamp),
    }


def shown(letter: Letter, state: str) -> dict[str, Any]:
    """The same with the record itself."""
    value = letter.record.value or b""
    return summary(letter, state) | {
        "headers": {name: text for name, text in _texts(letter).items() if not name.startswith("dlq-")},
        "value": value.decode(errors="replace")[:VALUE_SHOWN],
        "value_bytes": len(value),
    }


def _texts(letter: Letter) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in letter.record.headers}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() else None
