"""The far end: answers like the Bot API, and notes every message in the order in which it arrived."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web


class Ear:
    """`heard` is (chat, text) in order of arrival."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        said = await request.json()
        if request.match_info["method"] == "sendMessage":
            self.heard.append((str(said["chat_id"]), said["text"]))
        return web.json_response({"ok": True, "result": {"message_id": len(self.heard)}})


@contextlib.asynccontextmanager
async def ear() -> AsyncIterator[Ear]:
    """Listen until the end of the block."""
    made = Ear()
    app = web.Application()
    app.router.add_post("/{bot}/{method}", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
