"""The service's pool of Postgres connections (asyncpg)."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any, TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from servicekit.database_rights import question, sentence
from servicekit.misconfigured import Misconfigured, not_set
from servicekit.outages import DATABASE, UNUSABLE_DATABASE
from servicekit.revisions import newest_of
from servicekit.settings import ServiceSettings
from servicekit.web.problems import unavailable

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Pauses between attempts to connect; the last one is repeated for ever."""
WRONG_SETTINGS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
)
"""What waiting does not cure."""
NOT_THERE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a lost connection raises; the last one when it was lost while a statement was being sent."""

NOT_MIGRATED = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedColumnError)
"""What a statement raises that a newer release brought its table or column for."""
LOOK_SECONDS = 1.0
CONNECT_SECONDS = 10.0
"""A resolver whose first name server is away asks the second one after 5 s (`timeout` in resolv.conf(5))."""
ASK_SECONDS, ANSWER_SECONDS = 5.0, 10.0
"""Between two questions to a server that answers, and how long an answer may take."""
_HOST = r"([^/?#@\[\]:,\s]*|\[[0-9A-Fa-f:.%]+\])(:[0-9]*)?"
DSN = re.compile(
    r"postgres(ql)?://([^/?#@\n]*@)?"
    rf"{_HOST}(,{_HOST})*"
    r"(/[^?#\n]*)?(\?[^#\n]*)?"
)
"""`postgresql://[user[:password]@][host[:port]],…[/database][?parameters]`, as libpq and asyncpg read it."""
DSN_FORM = (
    "it has to be postgresql://user:password@host:port/database, with : / ? # [ ] @ % in the password percent-encoded"
)
_REVISION = "SELECT max(version_num) FROM alembic_version"

log = structlog.get_logger()


class Database:
    """A service's connections, which may come later than the process. One that breaks afterwards is replaced.

    There are two pools: `pool` is the API's, `connect` gives that of the service's own work. However many requests wait
    for their rows, batches, claims and the relay have their connections. `schema` is named after the service's package.
    """

    def __init__(self, schema: str, pool: Pool | None = None) -> None:
        self._schema, self._pool = schema, pool
        self._open = [] if pool is None else [pool]
        self._problem = "Postgres was not reached yet" if pool is None else None
        self._watching: set[asyncio.Task[None]] = set()

    @classmethod
    def of(cls, settings: ServiceSettings, schema: str) -> Database:
        """One for a service that cannot do without. Raises what `dsn_of` does, before anything is started."""
        dsn_of(settings)
        return cls(schema)

    @property
    def pool(self) -> Pool:
        """The API's. Raises ProblemError 503 until Postgres was there for the first time, and migrated."""
        if self._pool is None:
            raise unavailable("The database is not there yet.")
        return self._pool

    async def connect(self, settings: ServiceSettings) -> Pool:
        """The work's pool. Waits for Postgres and for its migration, as long as it takes. Raises what `connect` does."""
        pool = await connect(settings, self._schema)
        self._watching.add(asyncio.create_task(watch(settings, self._schema), name="watch the database"))
        try:
            await self._until_migrated(pool)
        except BaseException:
            pool.terminate()
            raise
        self._pool = await connect(settings, self._schema, min_size=0)
        self._open = [self._pool, pool]
        return pool

    async def _until_migrated(self, pool: Pool) -> None:
        """Look until the schema is as new as this code. A newer one will do: migrations suit the release before."""
        while (problem := await self._not_migrated(pool)) is not None:
            if problem != self._problem:
                log.error("database.not_migrated", reason=problem)
            self._problem = problem
            await asyncio.sleep(LOOK_SECONDS)
        self._problem = None

    async def _not_migrated(self, pool: Pool) -> str | None:
        try:
            revision = await pool.fetchval(_REVISION)
        except NOT_MIGRATED:
            revision = None
        except NOT_THERE as error:
            return f"the revision of the database cannot be read ({type(error).__name__})"
        if revision is not None and revision >= newest_of(self._schema):
            return None
        service = self._schema.replace("_", "-")
        return f"the database is not migrated: run `switchhook-ops migrate {service}` of this release"

    async def close(self) -> None:
        """Let go of the connections; of those that do not end within 5 s, too."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.gather(*(each.close() for each in self._open))

    def problem(self) -> str | None:
        """For readiness."""
        return self._problem


def dsn_of(settings: ServiceSettings) -> str:
    """The DSN, with its password. Raises Misconfigured, which does not show it, for none and for what is no such DSN."""
    dsn = settings.database.get_secret_value() if settings.database is not None else ""
    if not dsn:
        raise not_set("SWITCHHOOK_DATABASE")
    if DSN.fullmatch(dsn) is None:
        raise Misconfigured(f"SWITCHHOOK_DATABASE is not a PostgreSQL DSN: {DSN_FORM}")
    return dsn


async def connect(
    settings: ServiceSettings, schema: str, *, min_size: int = 1, max_size: int = 10
) -> asyncpg.Pool[asyncpg.Record]:
    """A pool whose connections look into `schema`; waits for Postgres as long as it takes.

    A connection that broke is replaced on the next `acquire`. Raises what `dsn_of` does, asyncpg's error when
    the DSN is refused for what it says (password, database).
    """
    dsn, attempt = dsn_of(settings), 0
    while True:
        try:
            return await _pool(dsn, settings, schema, min_size, max_size)
        except WRONG_SETTINGS:
            raise
        except NOT_THERE as error:
            pause = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
            log.warning("database.not_there", error=type(error).__name__, attempt=attempt + 1)
            await asyncio.sleep(pause)
            attempt += 1


async def _pool(
    dsn: str, settings: ServiceSettings, schema: str, min_size: int, max_size: int
) -> asyncpg.Pool[asyncpg.Record]:
    return await asyncpg.create_pool(
        dsn,
        connect=_connect,
        min_size=min_size,
        max_size=max_size,
        timeout=CONNECT_SECONDS,
        command_timeout=30,
        max_inactive_connection_lifetime=300,
        server_settings=_asked_for(settings, schema),
    )


def _asked_for(settings: ServiceSettings, schema: str) -> dict[str, str]:
    """What PostgreSQL is told about a connection."""
    return {
        "application_name": f"{schema}/{settings.instance}"[:63],
        "search_path": schema,
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "jit": "off",
    }


async def watch(settings: ServiceSettings, schema: str) -> None:
    """Ask the server every few seconds, for ever, so that readiness tells of one that takes connections and does not answer,
    and of one that answers and lets us save nothing.

    A statement of the work finds it out after `command_timeout`, and its cancellation, which is not answered either, may
    then hold the connection without a word as long as the server is silent.
    """
    while True:
        with contextlib.suppress(*NOT_THERE):
            made = await _connect(
                dsn_of(settings), timeout=CONNECT_SECONDS, server_settings=_asked_for(settings, schema)
            )
            await _ask(made, question(schema))
        await asyncio.sleep(ASK_SECONDS)


async def _ask(connection: asyncpg.Connection[asyncpg.Record], whether_we_may_save: str) -> None:
    """On this connection, until an answer does not come."""
    try:
        while True:
            answer = await connection.fetchval(whether_we_may_save, timeout=ANSWER_SECONDS)
            UNUSABLE_DATABASE.looked(sentence(answer))
            if DATABASE.problem() is not None:
                return  # Another connection was refused, and may not be needed again: the next one says whether it still is.
            await asyncio.sleep(ASK_SECONDS)
    except TimeoutError:
        DATABASE.failed("PostgreSQL", TimeoutError(f"no answer within {ANSWER_SECONDS:.0f} s"))
    except NOT_THERE as error:
        DATABASE.failed("PostgreSQL", error)
    finally:
        connection.terminate()


async def _connect(*arguments: Any, **named: Any) -> asyncpg.Connection[asyncpg.Record]:
    """As the pool connects, remembering how it went."""
    try:
        made: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*arguments, **named)
    except NOT_THERE as error:
        DATABASE.failed("PostgreSQL", error)
        raise
    DATABASE.reached()
    return made


async def keep_plans(connection: Connection) -> None:
    """For a connection that runs the same few statements for ever: each is planned once, and by its indexes.

    With unnest's arrays PostgreSQL takes a plan made for the values at hand to be cheaper, and makes one each time; that
    costs more than the statement (figures in docs/performance.md). A kept plan must not be one that suited a table while
    it was small, hence no scans of whole tables. The pool's reset undoes it.
    """
    await connection.execute(
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;"
        " SET enable_mergejoin = off"
    )
