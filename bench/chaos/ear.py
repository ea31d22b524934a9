"""The far end: answers like the Bot API and notes every message in the order in which it arrived; and takes webhooks."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator

from aiohttp import web

HOOK, GONE = "/hook", "/gone"
"""Paths of webhooks: one that is taken, one that is there no more."""


class Ear:
    """`heard` is (chat, text) in order of arrival, `heard_at` the moment of each, on the clock of `time.monotonic`. `told` is
    what webhooks said: (type of event, what it is about) -> how often under each `webhook-id`."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[tuple[str, str]] = []
        self.heard_at: list[float] = []
        self.repeats = 0
        """How many messages and webhooks had come before."""
        self._texts: set[tuple[str, str]] = set()
        self.told: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    async def answer(self, request: web.Request) -> web.Response:
        said = await request.json()
        if request.match_info["method"] == "sendMessage":
            message = str(said["chat_id"]), said["text"]
            self.repeats += message in self._texts
            self._texts.add(message)
            self.heard.append(message)
            self.heard_at.append(time.monotonic())
        return web.json_response({"ok": True, "result": {"message_id": len(self.heard)}})

    async def take(self, request: web.Request) -> web.Response:
        """An event: of a command by its id, of a message by who said it (the name that the workload gives) and what."""
        event = await request.json()
        data = event["data"]
        if event["type"] == "message.received":
            about = f"{data['contact']['first_name']}:{data['message']['text']}"
        else:
            about = str(data["command"]["id"])
        self.repeats += (event["type"], about) in self.told
        self.told[event["type"], about][request.headers["webhook-id"]] += 1
        return web.Response()

    async def refuse(self, _: web.Request) -> web.Response:
        return web.Response(status=410)


@contextlib.asynccontextmanager
async def ear() -> AsyncIterator[Ear]:
    """Listen until the end of the block."""
    made = Ear()
    app = web.Application()
    app.router.add_post(HOOK, made.take)
    app.router.add_post(GONE, made.refuse)
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
