"""Answering who listens to a conversation: long-poll, or a stream of server-sent events. Shared by web chat and Bot API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson

from contracts.replies import ChatMessage
from ingress.chat.attachments import Attachments, Spot
from ingress.wire.http import Answer, Headers, Request, json_answer
from ingress.wire.preferences import LONGEST_WAIT
from ingress.wire.problems import invalid
from servicekit.web.problems import ProblemError

HEARTBEAT_SECONDS = 15.0
"""A comment at least this often, so that proxies keep the stream and a dead client is noticed."""
STREAM_SECONDS = 3_600.0
"""A stream ends then, and its client comes again with Last-Event-ID: load spreads over new replicas."""
END_SECONDS = 1.0
"""So long a client may take to make room for the end of its stream; then the connection ends without it."""
NO_STORE = (b"cache-control", b"no-store")
STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    NO_STORE,
    (b"x-accel-buffering", b"no"),
]


AskAgain = Callable[[], Awaitable[object]]
"""Whether the listener may still hear, as of now: raises ProblemError when its token is over."""


class Wish(NamedTuple):
    """What a listener asked for: messages above `after`, waiting up to `wait` seconds, or as a stream."""

    after: int
    wait: float
    stream: bool


def wish_of(request: Request) -> Wish:
    """From `?after=&wait=`, `Last-Event-ID` and `Accept`. Raises ProblemError 422."""
    query = request.query()
    last = request.header(b"last-event-id")
    after = _number("after", last if last else query.get("after", "0"))
    wait = min(_number("wait", query.get("wait", "0")), int(LONGEST_WAIT))
    if request.method == "HEAD":
        return Wish(after, 0, False)  # It has no body to wait for.
    return Wish(after, wait, "text/event-stream" in (request.header(b"accept") or ""))


def _number(name: str, text: str | list[str]) -> int:
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 15:
        raise invalid(f"?{name}", f"{name} is a whole number, 0 or more.")
    return int(text)


def message_json(message: ChatMessage) -> dict[str, Any]:
    """A message as listeners see it."""
    return message.model_dump(mode="json", exclude_none=True)


async def listen(
    request: Request, attachments: Attachments, spot: Spot, wish: Wish, ask_again: AskAgain
) -> Answer | None:
    """`{messages, last_seq}`, or a stream whose event ids are the seqs. Raises ProblemError 429 or 503 before a stream begins.

    `ask_again` is called after each wait, before anything is told: a token that is deleted meanwhile hears no more.
    """
    if not (wish.stream or wish.wait):
        return _told(await attachments.after(spot, wish.after, 0), wish)
    with attachments.listeners.one_of(spot.project_id):
        if not wish.stream:
            messages = await attachments.after(spot, wish.after, wish.wait)
            await ask_again()
            return _told(messages, wish)
        first = await attachments.after(spot, wish.after, 0)
        await _Stream(request, attachments, spot, wish.after, ask_again).run(first)
        return None


def _told(messages: list[ChatMessage], wish: Wish) -> Answer:
    last = messages[-1].seq if messages else wish.after
    body = {"messages": [message_json(message) for message in messages], "last_seq": last}
    return json_answer(200, body, [NO_STORE])


class _Stream:
    """One stream of server-sent events, until its client goes or may no longer listen."""

    def __init__(self, request: Request, attachments: Attachments, spot: Spot, after: int, ask_again: AskAgain) -> None:
        self._request, self._attachments, self._spot, self._after = request, attachments, spot, after
        self._ask_again, self._began = ask_again, False

    async def run(self, first: list[ChatMessage]) -> None:
        """Return when it is over. All that is sent is bounded in time: a client that reads nothing keeps who sends waiting."""
        telling = asyncio.create_task(self._tell(first))
        gone = asyncio.create_task(self._gone())
        try:
            await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED, timeout=STREAM_SECONDS)
        finally:
            for task in (telling, gone):
                task.cancel()
            await asyncio.gather(telling, gone, return_exceptions=True)
        if self._began:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._request.send({"type": "http.response.body", "body": b""})

    async def _tell(self, first: list[ChatMessage]) -> None:
        headers = [*STREAM_HEADERS, *self._request.always]
        await self._request.send({"type": "http.response.start", "status": 200, "headers": headers})
        self._began = True
        await self._write(b": attached\n\n", first)
        while not self._attachments.closing:
            try:
                messages = await self._attachments.after(self._spot, self._after, HEARTBEAT_SECONDS)
            except ProblemError:
                # The stream outlives Kafka and engine: the heartbeat goes on, and what is missed comes with the next backlog.
                await asyncio.sleep(1)
                messages = []
            try:
                await self._ask_again()
            except ProblemError:
                return  # The client comes again, and hears why not.
            await self._write(b": beat\n\n", messages)

    async def _write(self, comment: bytes, messages: list[ChatMessage]) -> None:
        chunk = b"".join(
            b"id: %d\nevent: message\ndata: %b\n\n" % (one.seq, orjson.dumps(message_json(one))) for one in messages
        )
        await self._request.send({"type": "http.response.body", "body": chunk or comment, "more_body": True})
        self._after = messages[-1].seq if messages else self._after

    async def _gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            continue
