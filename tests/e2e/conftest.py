"""One stack for this folder: started by the first test that asks for it, stopped after the last."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from bench.chaos.attack import SERVICES, Log
from bench.chaos.faults import SETTINGS

from devstack.stack import Stack
from support.ground import TRACES, Ground
from support.otlp import otlp_collector


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def started(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    folder, log = tmp_path_factory.mktemp("stack"), Log()
    # Only what a caller marks as sampled is traced: under fire that would be far too much.
    tracing = {"SWITCHHOOK_TRACE_SAMPLE": "0", "SWITCHHOOK_TRACE_FILE": str(folder / TRACES)}
    async with otlp_collector() as collector:
        env = SETTINGS | tracing | {"SWITCHHOOK_OTLP_ENDPOINT": collector.url}
        async with Stack(folder, services=SERVICES, env=env, report=log, sync=False) as stack:
            yield Ground(stack, log, collector)


@pytest_asyncio.fixture(loop_scope="package")
async def ground(started: Ground) -> Ground:
    """The stack, everything in it at work, whatever the test before did to it."""
    return await at_work(started)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def module_ground(started: Ground) -> Ground:
    """The same, for what the tests of one file share."""
    return await at_work(started)


async def at_work(ground: Ground) -> Ground:
    stack = ground.stack
    await stack.kafka.wait_ready()
    await stack.postgres.wait_ready()
    await stack.wait_ready()
    return ground
