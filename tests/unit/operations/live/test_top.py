"""`top`, piped: plain lines of what replicas say over HTTP, one of which is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from operations.cli import app

COUNTER = '# TYPE switchhook_http_requests_total counter\nswitchhook_http_requests_total{{route="/",status="2xx"}} {}\n'


@pytest.fixture
async def ingress() -> AsyncIterator[str]:
    """Has answered ten requests more each time that it is asked."""
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 10
        await reader.readuntil(b"\r\n\r\n")
        body = COUNTER.format(asked).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def test_each_replica_is_a_line_and_one_that_is_away_says_so(ingress: str) -> None:
    env = {"SWITCHHOOK_INGRESS_URL": ingress, "SWITCHHOOK_DISPATCHER_URL": "http://127.0.0.1:1"}
    words = ["top", "--interval", "0.2", "--times", "2"]
    answered = await asyncio.to_thread(CliRunner().invoke, app, words, env=env)
    assert answered.exit_code == 0, answered.output
    lines = [line.split("  ", 1)[1] for line in answered.output.splitlines()]
    assert [line.split("  ")[0] for line in lines] == ["dispatcher (away)", "ingress"] * 2
    assert all(0 < float(line.split()[2].removesuffix("/s")) <= 50 for line in lines if line.startswith("ingress"))
