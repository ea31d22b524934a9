"""What a request is answered with, apart from HTTP, so that it can be remembered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from starlette.responses import JSONResponse, Response

from servicekit.web.problems import MEDIA_TYPE, ProblemError

STATE_HEADER = "Switchhook-State"
PENDING = "pending"
"""Saved, but Kafka has not acknowledged it: other services do not know of it yet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`published`: key -> version that has to be on the topic before this is said."""

    status: int
    body: Any = None
    etag: str | None = None
    published: dict[str, int] = field(default_factory=dict)

    def pending(self) -> Answer:
        """The same while Kafka is down. What was deleted is still in force elsewhere, so 204 would be a lie."""
        return replace(self, status=202, body={"state": PENDING}) if self.status == 204 else self

    def response(self, *, pending: bool = False) -> Response:
        headers = {"Cache-Control": "no-store"}
        if self.etag is not None:
            headers["ETag"] = self.etag
        if pending:
            headers[STATE_HEADER] = PENDING
        if self.body is None:
            return Response(None, self.status, headers)
        return JSONResponse(self.body, self.status, headers, MEDIA_TYPE if self.status >= 400 else None)


def refusal(problem: ProblemError) -> Answer:
    """A problem that is remembered like any other answer."""
    return Answer(problem.status, orjson.loads(problem.response().body))
