"""What `doctor` and `rotate-kek` find on servers that run: topics, lag, disks, migrations, clocks, keys."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner

from contracts.groups import GROUPS
from operations.checks.brokers import disk_checks, lag_of, topic_checks
from operations.checks.databases import database_checks, key_checks
from operations.cli import app
from operations.installation import Installation
from operations.postgres import connected
from operations.sealed_keys import SealedWith, sealed_with
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.committed import Committed, write_committed
from servicekit.revisions import newest_of
from support.databases import Databases

MakeTopic = Callable[..., Awaitable[str]]
INBOUND = "switchhook.inbound.v1"
KEK = f"k2:{b64encode(bytes(32)).decode()},k1:{b64encode(bytes(range(32))).decode()}"
SEAL = "INSERT INTO entity (kind, id, project_id, data) VALUES ($1, $2, 'p', $3::text::jsonb)"
ANSWER = """
INSERT INTO idempotency (project_id, path, key, body_sha256, answer, created_at)
VALUES ('p', '/v1/bots', $1, '', jsonb_build_object('kek_id', $2::text), $3)
"""
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def registry(databases: Databases) -> Iterator[str]:
    with databases.fresh("registry") as dsn:
        yield dsn


@pytest.fixture
async def sealed(registry: str) -> str:
    """Two secrets and an answer of k1; one secret of k2, and one that has nothing to do with any."""
    async with connected(registry, "registry") as connection:
        await connection.execute(SEAL, "secret", "a", '{"value": {"kek_id": "k1"}}')
        await connection.execute(
            SEAL, "endpoint", "b", '{"secrets": [{"kek_id": "k1"}, {"kek_id": "k2"}], "sealed": null}'
        )
        await connection.execute(SEAL, "flow", "c", '{"kek_id": "k9"}')
        await connection.execute(ANSWER, "one", "k1", NOON - timedelta(hours=4))
        await connection.execute(ANSWER, "two", "k1", NOON)
    return registry


def rotate(dsn: str, *words: str) -> tuple[int, list[str]]:
    env = {"SWITCHHOOK_DATABASE_REGISTRY": dsn, "SWITCHHOOK_KEK": KEK}
    answered = CliRunner().invoke(app, ["rotate-kek", *words], env=env)
    return answered.exit_code, answered.output.splitlines()


async def test_secrets_are_counted_by_the_key_that_sealed_them(sealed: str) -> None:
    assert await sealed_with(sealed) == {"k1": SealedWith(2, 2, NOON + timedelta(days=8)), "k2": SealedWith(1)}
    here = Installation("switchhook-ops", "say where", dsns={"registry": sealed}, kek=KEK)
    old, current = [check async for check in key_checks(here)]
    assert (old.fine, current.fine, "rotate-kek" in old.advice) == (False, True, True)


async def test_an_older_key_goes_once_nothing_is_sealed_with_it_and_its_answers_are_forgotten(sealed: str) -> None:
    code, said = await asyncio.to_thread(rotate, sealed)
    assert (code, said[-1]) == (1, "k1 has to stay: 2 secrets are sealed with it")

    waiting = asyncio.create_task(asyncio.to_thread(rotate, sealed, "--wait"))
    async with connected(sealed, "registry") as connection:
        await connection.execute("UPDATE entity SET data = replace(data::text, 'k1', 'k2')::jsonb")
    code, said = await waiting
    assert code == 0
    assert said[-2].startswith("k1 may be taken away from 2026-11-28 12:00 UTC on")
    assert said[-1] == "keys that are not named here may be taken away now"


async def test_tables_that_are_behind_and_databases_that_are_away_are_named(registry: str) -> None:
    away = "postgresql://switchhook_dispatcher:secret@127.0.0.1:1/switchhook"
    here = Installation("switchhook-ops", "say where", dsns={"registry": registry, "dispatcher": away})
    tables, size, dispatcher = [check async for check in database_checks(here)]
    assert (tables.what, tables.fine) == (f"registry: its tables are at {newest_of('registry')}", True)
    assert (size.fine, " takes 0.0 GB" in size.what) == (True, True)
    assert (dispatcher.fine, "secret" in dispatcher.advice) == (False, False)

    async with connected(registry, "registry") as connection:
        await connection.execute("UPDATE alembic_version SET version_num = '0001'")
    behind, _, _ = [check async for check in database_checks(here)]
    assert (behind.fine, behind.advice) == (False, "`switchhook-ops migrate` brings them up to date")


async def test_topics_lag_and_disks_are_told(cluster: Cluster, make_topic: MakeTopic) -> None:
    await make_topic(INBOUND, partitions=12, config={"compression.type": "producer", "max.message.bytes": "4194304"})
    async with AIOKafkaProducer(bootstrap_servers=cluster.servers) as producer:
        for _ in range(7):
            await producer.send_and_wait(cluster.named(INBOUND), b"{}", partition=3)
    group = GROUPS["flow-engine"][INBOUND]
    await write_committed(cluster, group, INBOUND, {3: Committed(2, "log")})
    assert await lag_of(cluster, group, INBOUND) == 5
    assert await lag_of(cluster, "a-group-that-has-read-nothing", INBOUND) == 0

    here = Installation("switchhook-ops", "say where", cluster)
    compression, survives = [check async for check in topic_checks(here)]
    assert (compression.fine, compression.advice) == (False, "`switchhook-ops topics alter` sets it")
    assert survives.what.startswith("one copy of each record")
    disks = [check async for check in disk_checks(here)]
    assert [" free in " in check.what for check in disks] == [True]
