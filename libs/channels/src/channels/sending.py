"""What is said to a platform: requests, and plans of several of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from channels.reading import Reading

HIDDEN = "[hidden]"
"""Stands where a secret was, in everything that is stored or shown."""


class Request(NamedTuple):
    """One HTTP request. `headers` and `url` are complete, credentials included; `shown_*` are what may be stored.

    `secrets` are looked for in the answer, and hidden there. `answer_limit`: bytes that are read of the answer; None:
    the sender's own limit, 64 KiB.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    shown_url: str
    shown_headers: dict[str, str]
    shown_body: bytes
    secrets: tuple[str, ...] = ()
    answer_limit: int | None = None

    def __repr__(self) -> str:
        """Only what may be stored: it may end in a log or a traceback."""
        return f"Request({self.method!r}, {self.shown_url!r})"


class Step(NamedTuple):
    """One request of a plan. `name` tells `Platform.read` what was asked.

    `make` gets the readings of the needed steps before it. Roles: `message` is what the person sees, and a
    plan has one such step at most, the last, because a failed plan is tried again from its beginning (ADR-0010).
    `preparation` (an upload) may be repeated without harm. `courtesy` is sent before the others: what comes of it changes
    nothing, and no later step sees it.
    """

    name: str
    make: Callable[[tuple[Reading, ...]], Request]
    role: Literal["message", "preparation", "courtesy"] = "message"


class Plan(NamedTuple):
    """Requests in order. The first answer that does not say `sent` ends it; else the last one's is the plan's."""

    steps: tuple[Step, ...]


class Refusal(NamedTuple):
    """There is nothing to be sent, now or later: `code` is the word to count by, `detail` a sentence for people."""

    code: str
    detail: str


def single(name: str, request: Request, *before: Step) -> Plan:
    """A plan whose one needed request is known already."""
    return Plan((*before, Step(name, lambda _: request)))
