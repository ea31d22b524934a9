"""A service waits for its migrations, and says so."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from servicekit import database, outages
from servicekit.database import Database, dsn_of
from servicekit.misconfigured import Misconfigured
from servicekit.revisions import newest_of
from servicekit.settings import ServiceSettings
from servicekit.web.problems import ProblemError
from support.waiting import eventually

SENTENCE = "the database is not migrated: run `switchhook-ops migrate {}` of this release"
SETTINGS = ServiceSettings.model_construct()


class FakePool:
    """Answers with the revision, or raises it."""

    def __init__(self, revision: Any) -> None:
        self.revision, self.terminated = revision, False

    async def fetchval(self, query: str) -> Any:
        if isinstance(self.revision, Exception):
            raise self.revision
        return self.revision

    def terminate(self) -> None:
        self.terminated = True


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> FakePool:
    """What `connect` gives."""
    made = FakePool("0001")

    async def connect(*_: Any, **__: Any) -> FakePool:
        return made

    async def watch(*_: Any) -> None:
        """There is no server to watch."""

    monkeypatch.setattr(database, "connect", connect)
    monkeypatch.setattr(database, "watch", watch)
    monkeypatch.setattr(database, "LOOK_SECONDS", 0)
    return made


@pytest.mark.parametrize("package", ["registry", "flow_engine", "dispatcher"])
@pytest.mark.parametrize(
    "before", ["0001", None, asyncpg.UndefinedTableError("alembic_version"), asyncpg.InvalidSchemaNameError("none")]
)
async def test_it_goes_on_once_it_is_migrated(pool: FakePool, package: str, before: Any) -> None:
    pool.revision = before
    ours = Database(package)
    connecting = asyncio.create_task(ours.connect(SETTINGS))
    await eventually(lambda: SENTENCE.format(package.replace("_", "-")) in (ours.problem() or ""))
    with pytest.raises(ProblemError):
        _ = ours.pool
    pool.revision = newest_of(package)
    assert await connecting is pool is ours.pool
    assert ours.problem() is None


async def test_the_database_of_a_later_release_will_do(pool: FakePool) -> None:
    pool.revision = "9999"
    ours = Database("registry")
    assert await ours.connect(SETTINGS) is pool
    assert ours.problem() is None


async def test_what_else_is_wrong_is_told_and_tried_again(pool: FakePool) -> None:
    pool.revision = asyncpg.InsufficientPrivilegeError("permission denied for table alembic_version")
    ours = Database("registry")
    connecting = asyncio.create_task(ours.connect(SETTINGS))
    told = "the revision of the database cannot be read (InsufficientPrivilegeError)"
    await eventually(lambda: ours.problem() == told)
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    assert pool.terminated


def with_database(dsn: str | None) -> ServiceSettings:
    return ServiceSettings.model_construct(database=None if dsn is None else SecretStr(dsn))


@pytest.mark.parametrize("dsn", [None, ""])
def test_without_a_database_nothing_is_started(dsn: str | None) -> None:
    with pytest.raises(Misconfigured, match=r"^SWITCHHOOK_DATABASE is not set$"):
        Database.of(with_database(dsn), "registry")


@pytest.mark.parametrize(
    "dsn",
    [
        "bob:hunter2@db/switchhook",
        "mysql://bob:hunter2@db/switchhook",
        "postgresql+asyncpg://bob:hunter2@db/switchhook",
        "postgresql://bob:hunter2@db:port/switchhook",
        "postgresql://bob:hunter2/more@db/switchhook",
        "postgresql://bob:hunter2#more@db/switchhook",
        "postgresql://bob:hunter2@more@db/switchhook",
        "postgresql://bob:hunter2@db/switchhook\n",
        "host=db user=bob password=hunter2",
    ],
)
def test_what_is_no_dsn_is_refused_and_not_shown(dsn: str) -> None:
    with pytest.raises(Misconfigured, match=r"^SWITCHHOOK_DATABASE is not a PostgreSQL DSN") as refused:
        Database.of(with_database(dsn), "registry")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://bob:hunter2@db:5432/switchhook",
        "postgres://bob@db/switchhook?sslmode=require",
        "postgresql://bob:%40%2F@[::1]:5432/switchhook",
        "postgresql://one:5432,two:5433/switchhook?target_session_attrs=read-write",
        "postgresql://bob@%2Frun%2Fpostgresql/switchhook",
        "postgresql:///switchhook?host=/run/postgresql",
    ],
)
def test_a_dsn_is_taken_as_it_is(dsn: str) -> None:
    assert dsn_of(with_database(dsn)) == dsn


async def test_a_server_that_goes_away_is_named_once_and_so_is_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Any] = [ConnectionRefusedError("Connection refused"), TimeoutError(), "connection"]

    async def attempt(*_: Any, **__: Any) -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(asyncpg, "connect", attempt)
    monkeypatch.setattr(database, "DATABASE", outages.Outage("database"))
    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(OSError):
                await database._connect("dsn")
            assert "PostgreSQL cannot be reached since" in (database.DATABASE.problem() or "")
        assert await database._connect("dsn") == "connection"
    assert database.DATABASE.problem() is None
    assert [line["event"] for line in lines] == ["database.away", "database.reached"]


class Silent:
    """A connection whose server answers so often, and then nothing any more."""

    def __init__(self, answers: int) -> None:
        self.answers, self.ended = answers, False

    async def fetchval(self, _: str, *, timeout: float) -> None:
        if not self.answers:
            await asyncio.sleep(timeout)
            raise TimeoutError
        self.answers -= 1

    def terminate(self) -> None:
        self.ended = True


async def test_a_server_that_takes_connections_and_does_not_answer_is_told_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen: PostgreSQL was frozen for 70 s, and the dispatcher said nothing of it."""
    silent, well = Silent(2), Silent(10**9)
    outcomes: list[Any] = [silent, TimeoutError(), well]
    told: list[str | None] = []

    async def attempt(*_: Any, **__: Any) -> Any:
        told.append(outages.DATABASE.problem())
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(asyncpg, "connect", attempt)
    monkeypatch.setattr(database, "ASK_SECONDS", 0)
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.01)
    watching = asyncio.create_task(database.watch(with_database("postgresql://bob@db/switchhook"), "sample"))

    async def is_well() -> bool:
        return not outcomes and outages.DATABASE.problem() is None

    await eventually(is_well)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert [bool(problem) for problem in told] == [False, True, True]
    assert "PostgreSQL cannot be reached since" in (told[1] or "")
    assert "no answer within" in (told[1] or "")
    assert silent.ended
    assert well.ended


async def test_a_server_that_answers_and_lets_us_save_nothing_is_told_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen: PostgreSQL was read-only for 40 s, nothing was applied, and every service was ready without a warning."""
    answers: list[str | None] = [None, "read-only", "read-only", "contact, delivery", None]
    told: list[str | None] = []

    class Refusing(Silent):
        async def fetchval(self, _: str, *, timeout: float) -> Any:
            told.append(outages.UNUSABLE_DATABASE.problem())
            if not answers:
                raise TimeoutError
            return answers.pop(0)

    with capture_logs() as lines, contextlib.suppress(TimeoutError):
        monkeypatch.setattr(database, "ASK_SECONDS", 0)
        await database._ask(Refusing(0), "whether we may save")  # type: ignore[arg-type]
    outages.DATABASE.reached()
    assert [bool(one) for one in told] == [False, False, True, True, True, False]
    assert "read-only" in (told[2] or "")
    assert "contact, delivery" in (told[4] or "")
    assert [line["event"] for line in lines][:3] == ["database.unusable", "database.unusable", "database.usable"]


async def test_a_connection_that_was_refused_is_told_until_another_one_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen: all connections were taken for a while, and readiness went on saying so when they were free again."""
    made: list[Silent] = []

    async def attempt(*_: Any, **__: Any) -> Any:
        made.append(Silent(10**9))
        return made[-1]

    async def asked() -> bool:
        return bool(made) and made[0].answers < 10**9

    async def is_reached() -> bool:
        return outages.DATABASE.problem() is None

    monkeypatch.setattr(asyncpg, "connect", attempt)
    monkeypatch.setattr(database, "ASK_SECONDS", 0)
    watching = asyncio.create_task(database.watch(with_database("postgresql://bob@db/switchhook"), "sample"))
    await eventually(asked)
    outages.DATABASE.failed("PostgreSQL", asyncpg.TooManyConnectionsError("sorry, too many clients already"))
    await eventually(is_reached)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert made[0].ended
