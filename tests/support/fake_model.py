"""Somebody's language model, by the protocol of chat completions: answers as programmed, in order, and keeps every question.

What it has no programme for it answers with `OK`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from support.receiver import serving

TOKENS = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def completion(text: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """An answer of one message."""
    said = {"role": "assistant", "content": text, **message}
    return {"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": said, "finish_reason": finish}], "usage": TOKENS}  # fmt: skip


def calls(*asked: tuple[str, str, Any]) -> dict[str, Any]:
    """An answer that asks for tools, each (id, name, arguments; a text is sent as it is)."""
    tool_calls = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)}}
        for id, name, given in asked
    ]  # fmt: skip
    return completion(None, "tool_calls", tool_calls=tool_calls)


class FakeModel:
    """`questions`: the bodies that came; `headers` of each. `answers` are taken in order: a completion, (status, headers) or raw bytes,
    after which the connection ends."""

    def __init__(self) -> None:
        self.url = ""
        self.questions: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[dict[str, Any] | tuple[int, dict[str, str]] | bytes] = []
        self.for_ever: dict[str, Any] | None = None
        """What it answers where there is no programme."""
        self.seconds = 0.0
        """What an answer takes."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.questions.append(await request.json())
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        answer = self.answers.pop(0) if self.answers else self.for_ever or completion("OK")
        await self.may_answer.wait()
        await asyncio.sleep(self.seconds)
        if isinstance(answer, bytes):
            assert request.transport is not None
            request.transport.write(answer)
            request.transport.close()
            return web.Response()
        if isinstance(answer, tuple):
            return web.json_response({"error": {"message": "no"}}, status=answer[0], headers=answer[1])
        return web.json_response(answer)


@contextlib.asynccontextmanager
async def fake_model() -> AsyncIterator[FakeModel]:
    """Listens on a free port of 127.0.0.1 until the end of the block."""
    made = FakeModel()
    async with serving(made.handle) as url:
        made.url = f"{url}/v1/chat/completions"
        yield made
