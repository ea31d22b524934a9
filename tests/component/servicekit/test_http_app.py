import asyncio
import contextlib
import gzip
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from devstack.ports import free_port
from servicekit.observability.metrics import histogram
from servicekit.web.server import watch_loop_lag
from support.waiting import eventually

PROGRAM = Path(__file__).with_name("small_service.py")


class Service:
    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port

    async def word(self) -> str:
        return (await self.process.stdout.readline()).decode().strip()

    async def raw(self, *parts: bytes) -> bytes:
        """What comes back to these bytes until the connection closes (ask for it)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
            with contextlib.suppress(ConnectionError):
                return await reader.read()
            return b""
        finally:
            writer.close()

    async def get(self, path: str, *headers: bytes) -> bytes:
        lines = [b"GET %s HTTP/1.1" % path.encode(), b"host: x", b"connection: close", *headers]
        return await self.raw(b"\r\n".join(lines) + b"\r\n\r\n")

    async def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            return b" 200 " in await self.get("/health/ready")
        return False


FILES = 64
"""As many open files as the service is started with."""


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


@pytest.fixture
async def service():
    port = free_port()
    environment = os.environ | {"SWITCHHOOK_ADMIN_TOKEN": "x" * 32, "SWITCHHOOK_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=few_files,
    )
    running = Service(process, port)
    try:
        assert await running.word() == "entered"
        await eventually(running.is_up)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_sigterm_lets_requests_finish_and_leaves_the_lifespan(service):
    slow = asyncio.create_task(service.get("/v1/slow"))
    assert await service.word() == "slow begun"
    service.process.send_signal(signal.SIGTERM)
    assert (await slow).endswith(b"/v1/slow 0")
    assert [await service.word(), await service.word()] == ["left", "ended"]
    assert await service.process.wait() == 0


async def test_many_who_say_nothing_or_half_of_it_leave_room_for_who_says_it_all(service):
    starts = (b"", b"GET / HTTP/1.1\r\nx: ", b"POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\n")
    async with contextlib.AsyncExitStack() as silent:
        for number in range(3 * FILES):
            _, writer = await asyncio.open_connection("127.0.0.1", service.port)
            silent.callback(writer.close)
            writer.write(starts[number % 3])
        async with asyncio.timeout(5):
            assert b" 200 " in await service.get("/v1/x")
    async with asyncio.timeout(5):
        assert b" 200 " in await service.get("/v1/stop")
    await service.process.wait()
    assert b"request.failed" not in await service.process.stderr.read()


async def test_a_service_can_stop_itself(service):
    assert b" 200 " in await service.get("/v1/stop")
    assert [await service.word(), await service.word()] == ["left", "ended"]
    assert await service.process.wait() == 0


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nconnection: close",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\nconnection: close",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 3\r\nconnection: close",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\nconnection: close",
        b"GET / HTTP/1.1\r\nhost: a\r\nx : y\r\nconnection: close",
        b"GET / HTTP/1.1\nhost: a\nconnection: close",
    ],
)
async def test_ambiguous_framing_is_400(service, head):
    assert b" 400 " in await service.raw(head + b"\r\n\r\n")


async def test_heads_are_bounded(service):
    assert b" 431 " in await service.get("/", b"x: " + b"y" * 40_000)
    endless = [b"GET / HTTP/1.1\r\nhost: a\r\nx: ", *[b"y" * 50_000] * 40]
    answer = await service.raw(*endless)
    assert answer == b"" or b" 400 " in answer  # The close may overtake the answer while we are still sending.
    assert await service.is_up()


async def test_bodies_are_bounded_with_and_without_a_length(service):
    head = b"POST /v1/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
    assert b" 413 " in await service.raw(head + b"content-length: 1001\r\n\r\n" + b"x" * 1001)
    chunk = b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
    assert b" 413 " in await service.raw(head + b"transfer-encoding: chunked\r\n\r\n" + chunk)
    assert b"/v1/x 1000" in await service.raw(head + b"content-length: 1000\r\n\r\n" + b"x" * 1000)


async def test_a_service_reads_as_the_gateway_does(service):
    assert b" 505 " in await service.raw(b"GET /v1/x HTTP/2.0\r\nhost: x\r\n\r\n")
    packed = gzip.compress(b"x" * 100)
    head = b"POST /v1/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-encoding: gzip\r\n"
    answer = await service.raw(head + b"content-length: %d\r\n\r\n" % len(packed), packed)
    assert answer.endswith(b" /v1/x 100")


async def test_the_clients_address_is_taken_from_a_trusted_proxy(service):
    assert b"203.0.113.7 /v1/x" in await service.get("/v1/x", b"x-forwarded-for: 203.0.113.7")


async def test_metrics_and_health_are_served(service):
    assert b"switchhook_loop_lag_seconds" in await service.get("/metrics")
    assert b'"alive":true' in await service.get("/health/live")


async def test_the_lag_of_the_loop_is_measured():
    lag = histogram("switchhook_loop_lag_seconds")
    before = lag._sum.get()
    watching = asyncio.create_task(watch_loop_lag(interval=0.001))
    await eventually(lambda: lag._sum.get() > before)
    watching.cancel()


@pytest.mark.parametrize("path", [b"/v1/bug", b"/v1/bug-after"])
async def test_a_bug_is_a_whole_answer_and_the_connection_serves_the_next_request(service, path):
    bug, last = (
        b"GET %s HTTP/1.1\r\nhost: x\r\n%s\r\n" % each for each in ((path, b""), (b"/a", b"connection: close\r\n"))
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(bug)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"application/problem+json" in head
    [length] = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    assert b"secret" not in await reader.readexactly(int(length))
    writer.write(last)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
