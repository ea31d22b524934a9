"""One replica of the registry, its topic and its database for the tests of one file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import pytest_asyncio

from contracts.registry import TOPIC
from servicekit.kafka.cluster import Cluster
from support.databases import Databases
from support.registry_api import Project, RegistryUnderTest, new_project, running_registry
from support.topics import create_topic, delete_topics


@pytest.fixture(scope="module")
def registry_database(databases: Databases) -> Iterator[str]:
    with databases.fresh("registry") as dsn:
        yield dsn


@pytest.fixture
def migrated(databases: Databases) -> Iterator[str]:
    """A database for one test that breaks things."""
    with databases.fresh("registry") as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def registry_cluster(kafka: str) -> AsyncIterator[Cluster]:
    """Where the registry's topic is that the tests of one file share."""
    cluster = Cluster(kafka, f"test-{uuid4().hex[:12]}.")
    topic = await create_topic(kafka, cluster.named(TOPIC.name), config={"cleanup.policy": "compact"})
    yield cluster
    await delete_topics(kafka, topic)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def registry(registry_database: str, registry_cluster: Cluster) -> AsyncIterator[RegistryUnderTest]:
    async with running_registry(registry_cluster, registry_database) as replica:
        yield replica


@pytest_asyncio.fixture(loop_scope="module")
async def project(registry: RegistryUnderTest) -> Project:
    """A new project for each test."""
    return await new_project(registry)
