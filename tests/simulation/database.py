"""A PostgreSQL of the simulation: sessions, row locks, commits whose answer is lost, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from servicekit.checkpoints.age import Standing
from servicekit.checkpoints.fence import CheckpointMove, Hold
from servicekit.checkpoints.outbox import Row
from servicekit.kafka.records import Outgoing
from simulation.network import LOST_SECONDS, Network, Server
from simulation.virtual_loop import MACHINE, Machine
from support.checkpoints_in_memory import CheckpointsInMemory, Place

T = TypeVar("T")
LOCK_SECONDS, IDLE_SECONDS, STATEMENT_SECONDS = 2.0, 10.0, 30.0
"""lock_timeout, idle_in_transaction_session_timeout and statement_timeout, as servicekit.database sets them."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of what waits for nothing, as the twins of the stores do."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a twin waits: what it does would not be one step")


class Database:
    """One service's database: its checkpoints, beside whatever its store's twin keeps."""

    def __init__(self, name: str, network: Network) -> None:
        self.network = network
        self.server = Server(name, lambda why: ConnectionResetError(f"{name}: {why}"))
        self.checkpoints = CheckpointsInMemory()
        self.sessions: list[Session] = []
        self.unknown = 0.0
        """The share of commits whose answer is lost; half of these have not been done."""
        self.lacks_partition = False
        """The day's partition of a table is not there."""
        self.in_time = 0
        """So many conversations are saved before a statement takes too long; 0: all."""
        self.full = False
        """There is no room: what would be saved is refused, what is read is answered."""
        self.locks: dict[Place, Session] = {}
        self._waiting: list[tuple[Session, list[Place], Callable[[], Any], asyncio.Future[Any]]] = []

    def require_room(self) -> None:
        """Raises DiskFullError, as PostgreSQL does when a table has to grow and cannot."""
        if self.full:
            raise asyncpg.DiskFullError("could not extend file: No space left on device")

    def stop(self) -> None:
        """The server ends: open transactions are undone, connections lost."""
        self.server.down = True
        for session in list(self.sessions):
            session.end()

    def machine_died(self, machine: Machine) -> None:
        """Its connections are noticed to be gone."""
        for session in list(self.sessions):
            if session.machine is machine:
                self.network.loop.later(self.network.latency(), session.end)

    def locked(self, session: Session, keys: Iterable[Place], do: Callable[[], T]) -> Any:
        """Do it with these rows locked for the session: at once, or as soon as the others' transactions have ended."""
        if session.closed:
            raise ConnectionResetError("the session has ended")
        wanted = list(keys)
        if self._lock(session, wanted):
            return do()
        done: asyncio.Future[Any] = self.network.loop.create_future()
        self._waiting.append((session, wanted, do, done))
        self.network.loop.later(LOCK_SECONDS, _too_long, done)
        return done

    def _lock(self, session: Session, wanted: Sequence[Place]) -> bool:
        free = all(self.locks.get(key, session) is session for key in wanted)
        if free:
            self.locks.update(dict.fromkeys(wanted, session))
        return free

    def release(self, session: Session) -> None:
        """Its transaction has ended."""
        held = [key for key, holder in self.locks.items() if holder is session]
        for key in held:
            del self.locks[key]
        if held and self._waiting:
            self.network.loop.later(0, self._again)

    def _again(self) -> None:
        """Those who wait for a row, in their order."""
        for one in list(self._waiting):
            session, wanted, do, done = one
            if session.closed or done.done():
                self._waiting.remove(one)
            elif self._lock(session, wanted):
                self._waiting.remove(one)
                self._do(do, done)

    @staticmethod
    def _do(do: Callable[[], Any], done: asyncio.Future[Any]) -> None:
        try:
            done.set_result(do())
        except Exception as error:  # noqa: BLE001 - it is whose statement it was
            done.set_exception(error)


def _too_long(done: asyncio.Future[Any]) -> None:
    if not done.done():
        done.set_exception(asyncpg.LockNotAvailableError("canceling statement due to lock timeout"))


class Session:
    """A connection of a pool, as far as servicekit.loop uses one."""

    def __init__(self, database: Database) -> None:
        self.database, self.machine = database, MACHINE.get()
        self.closed = self.open = self.doomed = self.saved = False
        self.at_commit: list[Callable[[], None]] = []
        self.transactions = 0
        database.sessions.append(self)

    @property
    def counts(self) -> bool:
        """Whether what this transaction saves will be there."""
        return not (self.closed or self.doomed or self.database.server.down)

    async def ask(self, do: Callable[[], T]) -> T:
        """One statement."""
        if self.closed:
            raise asyncpg.InterfaceError("the connection is closed")
        try:
            result: T = await self.database.network.ask(self.database.server, do)
        except OSError:
            self.end()
            raise
        if self.closed:
            raise asyncpg.ConnectionDoesNotExistError("the connection was closed in the middle of operation")
        return result

    async def execute(self, *_: Any) -> None:
        """Settings of the session."""

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.end()

    def end(self) -> None:
        """Whatever was open is undone."""
        self.closed = True
        self._over()
        if self in self.database.sessions:
            self.database.sessions.remove(self)

    def transaction(self) -> Session:
        return self

    async def start(self) -> None:
        if self.closed:
            raise asyncpg.InterfaceError("the connection is closed")
        self.open, self.transactions = True, self.transactions + 1
        chance = self.database.network
        self.doomed = bool(self.database.unknown) and chance.happens(self.database.unknown / 2)
        chance.loop.later(IDLE_SECONDS, self._idle, self.transactions)

    async def takes_too_long(self) -> None:
        """A statement that is cancelled at last. Raises QueryCanceledError."""
        self.transactions += 1  # It is not idle meanwhile.
        await asyncio.sleep(STATEMENT_SECONDS)
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    def _idle(self, number: int) -> None:
        if self.open and self.transactions == number:
            self.end()

    async def commit(self) -> None:
        """What is to be kept is there before anybody else's next step; then the answer is on its way, or lost."""
        database = self.database
        if not self.counts:
            self.end()
            await asyncio.sleep(LOST_SECONDS)
            raise ConnectionResetError("the connection was lost before COMMIT was done")
        for change in self.at_commit:
            change()
        self._over()
        if database.unknown and database.network.happens(database.unknown / 2):
            database.network.trace(f"{database.server.name}: the answer to COMMIT is lost")
            self.end()
            await asyncio.sleep(LOST_SECONDS)
            raise ConnectionResetError("the answer to COMMIT is lost")
        await asyncio.sleep(database.network.latency() + database.network.back(database.server))

    async def rollback(self) -> None:
        if self.saved:
            raise RuntimeError("the simulation cannot undo what a store has saved: nothing may fail behind it")
        self._over()

    def _over(self) -> None:
        self.open = self.saved = False
        self.at_commit.clear()
        self.database.release(self)


class Acquired:
    """What a pool's `acquire` gives: to be awaited, or entered."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __await__(self) -> Generator[Any, None, Session]:
        return self._pool.connect().__await__()

    async def __aenter__(self) -> Session:
        self._session = await self._pool.connect()
        return self._session

    async def __aexit__(self, *_: object) -> None:
        await self._pool.release(self._session)


class Pool:
    """A process's connections to a database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._idle: list[Session] = []

    def acquire(self) -> Acquired:
        return Acquired(self)

    async def connect(self) -> Session:
        while self._idle:
            session = self._idle.pop()
            if not session.closed:
                return session
        if self.database.server.down:
            await asyncio.sleep(LOST_SECONDS)
            raise ConnectionRefusedError(f"{self.database.server.name} is down")
        return Session(self.database)

    async def release(self, session: Session) -> None:
        session._over()
        if not session.closed:
            self._idle.append(session)


class Statements:
    """In place of the functions of servicekit.checkpoints.fence and outbox."""

    @staticmethod
    async def bump(
        connection: Any, topic: str, part: int, owner: UUID, *, predecessors: Sequence[UUID] | None
    ) -> Hold | None:
        return await _alone(connection, topic, part, lambda kept: kept.bump(topic, part, owner, predecessors))

    @staticmethod
    async def create(
        connection: Any, topic: str, part: int, owner: UUID, *, start: int, partitions: int, incarnation: str | None
    ) -> Hold:
        about = (topic, part, owner, start, partitions, incarnation)
        return await _alone(connection, topic, part, lambda kept: kept.create(*about))

    @staticmethod
    async def other_count(connection: Any, topic: str, partitions: int) -> int | None:
        return await connection.ask(lambda: connection.database.checkpoints.other_count(topic, partitions))

    @staticmethod
    async def advance(
        connection: Session, topic: str, moves: Sequence[CheckpointMove], published: Sequence[tuple[int, str]]
    ) -> set[int]:
        database, kept = connection.database, connection.database.checkpoints
        later = connection.at_commit.append
        keys = [(topic, move.hold.part) for move in moves]

        def work() -> set[int]:
            database.require_room()
            if any(move.payload is not None and kept.taken(topic, move.hold.part, move.name) for move in moves):
                raise asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
            return kept.advance(topic, moves, published, later)

        return await connection.ask(lambda: database.locked(connection, keys, work))

    @staticmethod
    async def standing(connection: Session, topic: str) -> dict[int, Standing]:
        rows = connection.database.checkpoints.rows
        return await connection.ask(
            lambda: {
                part: Standing(row.next_offset, row.incarnation) for (of, part), row in rows.items() if of == topic
            }
        )

    @staticmethod
    async def lock(connection: Session, topic: str, hold: Hold) -> bool:
        """What follows in the transaction saves something, or it would not be asked for."""
        database, kept = connection.database, connection.database.checkpoints

        def work() -> bool:
            database.require_room()
            return kept.lock(topic, hold)

        return await connection.ask(lambda: database.locked(connection, [(topic, hold.part)], work))

    @staticmethod
    async def add(connection: Session, topic: str, part: int, name: str, records: list[Outgoing]) -> None:
        """At once: what was saved just before must not be seen by anybody without it."""
        kept = connection.database.checkpoints
        if kept.taken(topic, part, name):
            raise asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
        connection.at_commit.append(lambda: kept.add(topic, part, name, records))

    @staticmethod
    async def unsent(connection: Session, topic: str, part: int) -> list[Row]:
        return await connection.ask(lambda: connection.database.checkpoints.unsent(topic, part))

    @staticmethod
    async def delete(connection: Session, topic: str, names: Sequence[tuple[int, str]]) -> None:
        await connection.ask(lambda: connection.database.checkpoints.delete(topic, names))


async def _alone(connection: Session, topic: str, part: int, do: Callable[[CheckpointsInMemory], T]) -> T:
    """A statement that is its own transaction."""
    database = connection.database

    def work() -> T:
        result = do(database.checkpoints)
        database.release(connection)
        return result

    return await connection.ask(lambda: database.locked(connection, [(topic, part)], work))
