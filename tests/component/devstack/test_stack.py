"""The stack's processes: started, restarted, stopped. Stand-ins take the place of the services."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg
import psutil
import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import TOPICS
from devstack import service as service_module
from devstack.errors import StackError
from devstack.paths import ROOT
from devstack.stack import Stack, reset, running_stack
from support.waiting import eventually

STAND_IN = "support.stand_in_service"
ENV = {"PYTHONPATH": str(ROOT / "tests"), "SWITCHHOOK_EXTRA": "for all"}


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.seconds(60)]  # Starts stacks of its own.


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in service_module.MODULES:
            patch.setitem(service_module.MODULES, name, STAND_IN)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, stand_ins: None) -> AsyncIterator[Stack]:
    services: dict[str, dict[str, str]] = {
        "registry": {},
        "flow-engine": {},
        "ingress": {"SWITCHHOOK_EXTRA": "its own"},
    }
    async with Stack(tmp_path_factory.mktemp("a stack"), services=services, env=ENV, sync=False) as started:
        yield started


async def ask(url: str) -> Any:
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        response.raise_for_status()
        return await response.json()


async def test_everything_is_ready_and_reached_through_one_port(stack: Stack) -> None:
    through_gateway = await ask(f"{stack.base_url}/v1/bots")
    assert through_gateway["pid"] == stack.service("registry").pid
    assert through_gateway["settings"]["SWITCHHOOK_PUBLIC_URL"] == stack.base_url
    assert through_gateway["settings"]["SWITCHHOOK_KAFKA"] == stack.bootstrap_servers
    assert (await ask(f"{stack.service('ingress').base_url}/"))["settings"]["SWITCHHOOK_EXTRA"] == "its own"
    running = running_stack(stack.folder)
    assert running is not None
    assert running.services == {name: service.base_url for name, service in stack.services.items()}


async def test_every_topic_exists_as_contracts_say(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap_servers)
    await admin.start()
    try:
        described = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    finally:
        await admin.close()
    assert {topic.name: topic.partitions for topic in TOPICS}.items() <= described.items()


async def test_a_role_works_in_its_own_schema_and_in_no_other(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.dsn("registry"))
    try:
        await connection.execute("CREATE TABLE of_the_registry (n int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE dispatcher.not_of_the_registry (n int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM flow_engine.checkpoint")
    finally:
        await connection.close()


async def test_a_services_password_opens_no_other_services_tables(stack: Stack) -> None:
    for service, other in (("registry", "dispatcher"), ("dispatcher", "flow_engine")):
        mine = urlsplit(stack.dsn(service))
        role = f"switchhook_{other}:{mine.password}@{mine.hostname}:{mine.port}"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(urlunsplit(mine._replace(netloc=role)))


async def test_a_crashed_process_is_started_again_and_a_killed_one_is_left(stack: Stack) -> None:
    engine, registry = stack.service("flow-engine"), stack.service("registry")
    crashed, port = engine.pid, engine.port
    os.kill(crashed, signal.SIGKILL)
    await registry.kill()
    await eventually(lambda: engine.running and engine.pid != crashed)
    await stack.wait_ready("flow-engine")
    assert engine.port == port
    assert not registry.running

    async with aiohttp.ClientSession() as client, client.get(f"{stack.base_url}/v1/bots") as response:
        assert response.status == 503
    await registry.start()
    assert (await ask(f"{stack.base_url}/v1/bots"))["pid"] == registry.pid


async def test_a_second_replica_takes_its_turn(stack: Stack) -> None:
    second = await stack.add_service("registry-2")
    pids = {(await ask(f"{stack.base_url}/v1/bots"))["pid"] for _ in range(4)}
    assert pids == {stack.service("registry").pid, second.pid}
    await stack.remove_service("registry-2")
    assert not second.running
    assert (await ask(f"{stack.base_url}/v1/bots"))["pid"] == stack.service("registry").pid


async def test_a_folder_in_use_is_refused_and_left_alone(stack: Stack) -> None:
    with pytest.raises(StackError, match=rf"in use by process {os.getpid()}: stop"):
        await Stack(stack.folder, services={}).__aenter__()
    with pytest.raises(StackError, match="in use"):
        reset(stack.folder)
    assert stack.kafka.running


async def test_nothing_is_left_running_and_the_next_start_finds_the_data(tmp_path: Path, stand_ins: None) -> None:
    folder = tmp_path / "kept"
    async with Stack(folder, services={"registry": {}}, env=ENV, sync=False) as first:
        secret, kafka_address = first.secrets, first.bootstrap_servers
        connection = await asyncpg.connect(first.dsn("registry"))
        await connection.execute("CREATE TABLE kept (n int)")
        await connection.close()
        roots = [first.kafka.pid, first.postgres.pid, first.service("registry").pid]
        processes = [
            each for pid in roots for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
        ]
    assert not [each for each in processes if each.is_running()]
    assert running_stack(folder) is None

    async with Stack(folder, services={}, sync=False) as second:
        assert (second.secrets, second.bootstrap_servers) == (secret, kafka_address)
        connection = await asyncpg.connect(second.dsn("registry"))
        assert await connection.fetchval("SELECT count(*) FROM kept") == 0
        await connection.close()
    reset(folder)
    assert not (folder / "postgres").exists()


async def test_a_service_that_does_not_start_stops_the_others_and_names_its_log(
    tmp_path: Path, stand_ins: None
) -> None:
    folder = tmp_path / "broken"
    broken = {"registry": {"PYTHONPATH": "/nowhere"}}
    with pytest.raises(StackError, match=r"registry ended while starting \(.*No module named.*\): see .*registry\.log"):
        await Stack(folder, services=broken, sync=False).__aenter__()
    assert not [
        child for child in psutil.Process().children(recursive=True) if str(folder) in " ".join(child.cmdline())
    ]
