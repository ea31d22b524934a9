"""A ToyChat of our own: a real HTTP server that keeps what it was told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from support.receiver import serving

KEY = "planted-key-1"


class FakeToyChat:
    """`said` are (step, what came); `blocked_by` are people who answer 403."""

    def __init__(self) -> None:
        self.url = ""
        self.said: list[tuple[str, Any]] = []
        self.blocked_by: set[str] = set()

    async def handle(self, request: web.Request) -> web.Response:
        step = request.path.strip("/")
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": "no such key"}, status=401)
        if step == "files":
            file = (await request.post())["file"]
            assert isinstance(file, web.FileField)
            came: Any = file.file.read().decode()
        else:
            came = await request.json()
        self.said.append((step, came))
        if step == "say" and came["to"] in self.blocked_by:
            return web.json_response({"error": "she blocked you"}, status=403)
        return web.json_response(self._answer(step))

    def _answer(self, step: str) -> dict[str, Any]:
        number = len(self.said)
        match step:
            case "whoami":
                return {"id": "77", "page": "https://toychat.example/77", "confirmation": "c0nfirm"}
            case "files":
                return {"file": f"file-{number}"}
            case "keep":
                return {"picture": f"picture-{number}"}
            case "say":
                return {"message": f"message-{number}"}
        return {"done": True}


@contextlib.asynccontextmanager
async def fake_toychat() -> AsyncIterator[FakeToyChat]:
    """Listens on a free port of the loopback interface until the end of the block."""
    made = FakeToyChat()
    async with serving(made.handle) as url:
        made.url = url
        yield made
