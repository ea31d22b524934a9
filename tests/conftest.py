"""One Kafka and one PostgreSQL a run, started by the first test that asks for either."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import uuid4

import pytest

from servicekit.kafka.cluster import Cluster
from support.databases import Databases
from support.stack import Servers, running_servers
from support.topics import create_topic, delete_topics

pytest_plugins = (
    "support.suite.order",
    "support.suite.limit",
    "support.suite.account",
    "support.suite.garbage",
    "support.suite.lost_tasks",
    "support.suite.properties",
)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with running_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka(servers: Servers) -> str:
    """The broker's `host:port`; topics are the test's own (`topic_prefix`, `make_topic`)."""
    return servers.kafka


@pytest.fixture(scope="session")
def postgres(servers: Servers) -> str:
    """The server's superuser DSN; tests take a `database` of their own."""
    return servers.postgres


@pytest.fixture(scope="session")
def databases(postgres: str) -> Databases:
    """Makes databases; a folder whose tests need a service's tables has a `database` with them."""
    return Databases(postgres)


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The DSN of an empty database for one test."""
    with databases.fresh() as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_database(databases: Databases) -> Iterator[str]:
    """The DSN of an empty database for the tests of one file."""
    with databases.fresh() as dsn:
        yield dsn


@pytest.fixture
def topic_prefix() -> str:
    """Begins the names of this test's topics and groups, and of no other's."""
    return f"test-{uuid4().hex[:12]}."


@pytest.fixture
def cluster(kafka: str, topic_prefix: str) -> Cluster:
    """This test's own place on the broker: what a service calls `in` is there what `make_topic("in")` made."""
    return Cluster(kafka, topic_prefix)


@pytest.fixture
async def make_topic(kafka: str, topic_prefix: str) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Makes a topic of this test: `await make_topic("inbound", partitions=4, config={…})` gives its full name."""
    made: list[str] = []

    async def make(name: str, *, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        made.append(await create_topic(kafka, topic_prefix + name, partitions=partitions, config=config))
        return made[-1]

    yield make
    if made:
        await delete_topics(kafka, *made)
