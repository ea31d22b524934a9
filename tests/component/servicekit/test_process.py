"""The life of a service's process: refused settings, an end in good order, and work that ends by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from devstack.ports import free_port
from support.waiting import eventually

PROGRAM = Path(__file__).with_name("small_process.py")
CALLS = ["work", "stopping", "drain", "cancelled", "close"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHHOOK_")}
TOKEN = {"SWITCHHOOK_ADMIN_TOKEN": "x" * 32}
FAILS = {"SWITCHHOOK_FAILPOINTS": "seed=1;kill=0@nowhere"}


async def start(settings: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), env=CLEAN | settings,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def ended(settings: dict[str, str]) -> tuple[int | None, list[str], str]:
    """Exit code, the calls that came, and what was said on standard error, of a process that ends by itself."""
    process = await start(settings)
    async with asyncio.timeout(20):
        out, error = await process.communicate()
    return process.returncode, [line for line in out.decode().split() if line in CALLS], error.decode()


@asynccontextmanager
async def running(settings: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port = free_port()
    process = await start(TOKEN | settings | {"SWITCHHOOK_PORT": str(port)})
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def readiness(port: int) -> Any:
    """Status and body, None while it does not listen."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/health/ready") as answer:
            return answer.status, await answer.json()
    except aiohttp.ClientError:
        return None


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "small does not start: SWITCHHOOK_ADMIN_TOKEN: the field 'admin_token' is needed\n"),
        (
            TOKEN | {"SWITCHHOOK_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "SWITCHHOOK_KAFKA_SASL_MECHANISM": "PLAIN"},
            "small does not start: SWITCHHOOK_KAFKA_USER is needed with SWITCHHOOK_KAFKA_SECURITY_PROTOCOL=SASL_SSL\n",
        ),
        (
            TOKEN | FAILS,
            "small does not start: SWITCHHOOK_FAILPOINTS would make it fail on purpose, which takes SWITCHHOOK_CHAOS=1,"
            " too\n",
        ),
        (
            TOKEN | {"SWITCHHOOK_BROKEN": "fence"},
            "small does not start: SWITCHHOOK_BROKEN would make it fail on purpose, which takes SWITCHHOOK_CHAOS=1, too\n",
        ),
        (
            TOKEN | {"SWITCHHOOK_FAILPOINTS": "explode=1", "SWITCHHOOK_CHAOS": "1"},
            "small does not start: SWITCHHOOK_FAILPOINTS cannot be read: unknown failpoint 'explode'\n",
        ),
        (
            TOKEN | {"SWITCHHOOK_BROKEN": "fences", "SWITCHHOOK_CHAOS": "1"},
            "small does not start: SWITCHHOOK_BROKEN names fences, which is none of dedupe, fence, lease, outbox\n",
        ),
    ],
    ids=["missing", "combination", "failpoints", "broken", "unknown failpoint", "unknown protection"],
)
async def test_settings_that_do_not_do_are_refused_in_a_sentence(settings: dict[str, str], sentence: str) -> None:
    assert await ended(settings) == (1, [], sentence)


async def test_sigterm_ends_it_in_good_order() -> None:
    async with running({}) as (process, port):
        assert process.stdout is not None
        await eventually(lambda: readiness(port))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            said = (await process.stdout.read()).decode().split()
        assert [word for word in said if word in CALLS] == CALLS
        assert await process.wait() == 0


async def test_work_that_fails_as_it_is_ended_is_told() -> None:
    async with running({"SMALL_FAILS_AT_ITS_END": "1"}) as (process, port):
        assert process.stdout is not None
        await eventually(lambda: readiness(port))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            said = (await process.stdout.read()).decode()
        assert [word for word in said.split() if word in CALLS] == CALLS
        assert '"process.work_ended"' in said
        assert "it could not save where it was" in said
        assert await process.wait() == 1


async def test_work_that_ends_by_itself_ends_the_process() -> None:
    code, calls, error = await ended(TOKEN | {"SMALL_FAILS": "1", "SWITCHHOOK_PORT": str(free_port())})
    assert (code, calls) == (1, ["work", "stopping", "drain", "close"])
    assert error == ""


async def test_failing_on_purpose_is_said_in_log_and_readiness() -> None:
    async with running(FAILS | {"SWITCHHOOK_CHAOS": "1"}) as (process, port):
        assert process.stdout is not None
        async with asyncio.timeout(20):
            assert b'"process.chaos"' in await process.stdout.readline()
        said = "it fails on purpose: SWITCHHOOK_FAILPOINTS=seed=1;kill=0@nowhere"

        async def told() -> bool:
            return await readiness(port) == (200, {"ready": True, "reasons": {}, "warnings": {"chaos": said}})

        await eventually(told)
