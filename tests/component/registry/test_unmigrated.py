"""A registry of this release on a database of the one before: it says what to do, and goes on once that is done."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator

import httpx
import pytest

from contracts import findings, replies
from contracts.registry import TOPIC
from registry.main import Registry
from servicekit import database as database_module
from servicekit.kafka.cluster import Cluster
from servicekit.migrate import migrate_async
from support.logs import configured
from support.registry_api import ADMIN_TOKEN, settings_for
from support.topics import create_topics, delete_topics
from support.waiting import eventually

SENTENCE = "the database is not migrated: run `switchhook-ops migrate registry`"


@pytest.fixture
def said() -> Iterator[io.BytesIO]:
    with configured("test") as stream:
        yield stream


@pytest.mark.parametrize("before", ["0001", None], ids=["the release before", "empty"])
async def test_it_is_not_ready_until_it_is_migrated(
    kafka: str, database: str, before: str | None, said: io.BytesIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOOK_SECONDS", 0.05)
    cluster = Cluster(kafka, f"test-{id(said)}.")
    names = [cluster.named(topic.name) for topic in (TOPIC, findings.TOPIC, replies.TOPIC)]
    await create_topics(kafka, dict.fromkeys(names, 1))
    if before:
        await migrate_async("registry", database, before)
    service = Registry(settings_for(cluster, database))
    checks = service.checks()
    work = asyncio.create_task(service.work())
    try:
        await eventually(lambda: SENTENCE in (checks["database"]() or ""))
        assert said.getvalue().count(b"database.not_migrated") == 1
        assert await make_project(service) == 503
        await migrate_async("registry", database)
        await eventually(lambda: service.tail.readings and not any(check() for check in checks.values()))
        assert await make_project(service) == 201
        await eventually(lambda: any(key.startswith("project/") for key in service.tail.last))
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await service.close()
        await delete_topics(kafka, *names)


async def make_project(service: Registry) -> int:
    """The status of the answer."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(service.app),
        base_url="http://registry.test",
        headers={"authorization": f"Bearer {ADMIN_TOKEN}"},
    ) as client:
        return (await client.post("/v1/projects", json={"name": "Shop"})).status_code


async def test_parts_that_are_not_at_work_are_reported(kafka: str, database: str) -> None:
    """Once its topic was read; while Kafka is away, writes are answered as pending."""
    service = Registry(settings_for(Cluster(kafka, "none."), database))
    checks = service.checks()
    assert checks["relay"]() is None
    service.tail.readings = 1
    assert checks["relay"]() == checks["findings"]() == "is not at work yet"
