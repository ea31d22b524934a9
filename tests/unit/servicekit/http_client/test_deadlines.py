"""A connection has one timer for all its requests, and each request its own deadline."""

from __future__ import annotations

import asyncio
import time

from servicekit.http_client.http1 import Connection, Response

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Wire:
    """A transport to nowhere."""

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...

    def is_closing(self) -> bool:
        return False


def connected() -> Connection:
    connection = Connection(lambda _: None)
    connection.connection_made(Wire())  # type: ignore[arg-type]  # all that is asked of one
    return connection


async def answered(connection: Connection, seconds: float) -> None:
    waiting = connection.send(b"", 100, time.monotonic() + seconds)
    connection.data_received(ANSWER)
    assert isinstance(await waiting, Response)


async def test_a_request_is_given_up_at_its_own_deadline_although_the_one_before_it_had_longer() -> None:
    connection = connected()
    await answered(connection, 60)
    async with asyncio.timeout(10):
        assert await connection.send(b"", 100, time.monotonic() + 0.01) == "timeout"


async def test_the_deadline_of_a_request_that_was_answered_ends_no_later_one() -> None:
    connection = connected()
    await answered(connection, 0.01)
    assert await connection.send(b"", 100, time.monotonic() + 0.05) == "timeout"
    connection = connected()
    await answered(connection, 0.01)
    waiting = connection.send(b"", 100, time.monotonic() + 60)
    await asyncio.wait({waiting}, timeout=0.03)
    connection.data_received(ANSWER)
    assert isinstance(waiting.result(), Response)
