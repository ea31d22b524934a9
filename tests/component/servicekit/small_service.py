"""A service for test_http_app: run as a process, it tells on standard output what happens to it."""

import contextlib
import sys
from collections.abc import AsyncIterator

from servicekit.settings import ServiceSettings
from servicekit.web.health import Health
from servicekit.web.problems import ProblemError, problem
from servicekit.web.requests import read_body, read_head
from servicekit.web.server import serve, stop_process


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


@contextlib.asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    say("entered")
    try:
        yield
    finally:
        say("left")


async def answer(scope, receive, send):
    try:
        head = read_head(scope)
        body = await read_body(head, receive, limit=1000)
    except ProblemError as refusal:
        await refusal.response()(scope, receive, send)
        return
    if scope["path"] == "/v1/slow":
        say("slow begun")
        await health.until_stopping()
    if scope["path"] == "/v1/bug":
        raise ValueError("a secret of ours")
    if scope["path"] == "/v1/bug-after":
        await problem("internal", 500, "Internal error")(scope, receive, send)
        raise ValueError("a secret of ours")
    if scope["path"] == "/v1/stop":
        stop_process()
    text = f"{scope['client'][0]} {scope['path']} {len(body)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


if __name__ == "__main__":
    health = Health()
    serve(answer, ServiceSettings(), lifespan, health=health)
    say("ended")
