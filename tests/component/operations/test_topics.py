"""`topics plan`, `create` and `alter` on a broker: topics become as they are meant, and what somebody set stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from typer.testing import CliRunner

from contracts.topics import TOPICS
from operations.cli import app
from operations.errors import CommandError
from operations.topics import asked, by_name, found
from servicekit.kafka.cluster import Cluster
from support.topics import delete_topics

INBOUND = "switchhook.inbound.v1"
OLD = {"retention.ms": "2592000000", "compression.type": "producer", "segment.bytes": "20971520"}
"""A topic of an early release, of which an operator keeps more and has chosen the segments."""


@pytest.fixture
async def old(cluster: Cluster, make_topic: Callable[..., Awaitable[str]]) -> AsyncIterator[str]:
    """Inbound as it was, and nothing else."""
    yield await make_topic(INBOUND, partitions=12, config=OLD)
    async with asked(cluster, "listed") as admin:
        made = set(by_name(cluster, TOPICS)) & set(await admin.list_topics()) - {cluster.named(INBOUND)}
    await delete_topics(cluster.servers, *made)


async def topics(cluster: Cluster, *words: str) -> list[str]:
    """What the command says; raises what it ends by."""
    settings = {"KAFKA": cluster.servers, "TOPIC_PREFIX": cluster.topic_prefix, "TOPIC_REPLICAS": "1"}
    env = {f"SWITCHHOOK_{name}": value for name, value in settings.items()}
    answered = await asyncio.to_thread(CliRunner().invoke, app, ["topics", *words], env=env)
    if answered.exception is not None:
        raise answered.exception
    return answered.output.replace(cluster.topic_prefix, "").splitlines()


async def test_topics_become_as_they_are_meant_and_what_somebody_set_stays(cluster: Cluster, old: str) -> None:
    planned = await topics(cluster, "plan")
    assert f"{INBOUND}: compression.type is producer, lz4 is meant: `topics alter` sets it" in planned
    assert f"{INBOUND}: retention.ms is 2592000000, 604800000 is meant: kept, as it is more" in "\n".join(planned)
    assert sum("does not exist" in line for line in planned) == len(TOPICS) - 1

    created = await topics(cluster, "create")
    assert len([line for line in created if line.startswith("created ")]) == len(TOPICS) - 1

    altered = await topics(cluster, "alter")
    assert f"set compression.type=lz4 of {INBOUND} (was producer)" in altered
    async with asked(cluster, "looked at") as admin:
        own = (await found(admin, [old]))[old].own
    meant = OLD | {"compression.type": "lz4", "max.message.bytes": "4194304"}
    assert {name: own.get(name) for name in meant} == meant
    (kept,) = await topics(cluster, "plan")
    assert "kept, as it is more" in kept

    assert f"set retention.ms=604800000 of {INBOUND} (was 2592000000)" in await topics(cluster, "alter", "--force")
    assert await topics(cluster, "plan") == ["every topic is as it is meant"]
    with pytest.raises(CommandError, match=r"inbound.v1, .* is not altered \(13 in place of 12\).*topics grow"):
        await topics(cluster, "alter", "--partitions", "13")
