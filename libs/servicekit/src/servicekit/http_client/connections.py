"""Connections to hosts, kept while they are of use; each is to an address that was checked right before."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable

from servicekit.http_client.http1 import Connection

IDLE_SECONDS = 15.0
"""An unused connection is closed after so long, before most servers do."""

Addresses = Callable[[], Awaitable[list[str]]]
"""All addresses of the host, checked now. Raises OSError."""


class NoConnection(OSError):
    """All addresses were allowed and none took the connection. The text says how: it follows `host:port`."""


class Host:
    """The connections to one host and port, at most `most` at once."""

    def __init__(self, port: int, tls: ssl.SSLContext | None, name: str, *, most: int, seconds: float) -> None:
        """`tls`: None for plain http. `name` is what the certificate must be for. `seconds` to connect."""
        self._port, self._tls, self._name, self._most, self._seconds = port, tls, name, most, seconds
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._places = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def unused(self) -> bool:
        """Whether there is nothing to it."""
        return self._places == 0 and not self._waiting

    def kept(self) -> Connection | None:
        """A connection that is open and free, the last used first."""
        oldest = time.monotonic() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and connection.idle_since > oldest:
                return connection
            self._drop(connection)
        return None

    async def take(self, addresses: Addresses) -> Connection:
        """A free connection or a new one, once there may be one more. Raises OSError (of which TLS errors are some)."""
        while True:
            connection = self.kept()
            if connection is not None:
                return connection
            if self._places < self._most:
                return await self._new(addresses)
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._wake()
                raise
            finally:
                if place in self._waiting:
                    self._waiting.remove(place)

    def give(self, connection: Connection) -> None:
        """A connection is not needed any more."""
        if connection.reusable:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
            if self._waiting:
                self._wake()
        else:
            self._drop(connection)

    def close_idle(self, before: float) -> None:
        """Close what has not been used since."""
        for connection in [each for each in self._idle if each.idle_since < before]:
            self._idle.remove(connection)
            self._drop(connection)

    def close(self) -> None:
        for connection in list(self._open):
            connection.abort()

    async def _new(self, addresses: Addresses) -> Connection:
        self._places += 1
        try:
            connection = await self._connect(await addresses())
        except BaseException:
            self._places -= 1
            self._wake()
            raise
        self._open.add(connection)
        return connection

    async def _connect(self, addresses: list[str]) -> Connection:
        last: OSError = OSError("no address")
        for address in addresses:
            try:
                return await self._dial(address, self._seconds / len(addresses))
            except ssl.SSLError:
                raise
            except OSError as error:
                last = error
        raise NoConnection(_told(last))

    async def _dial(self, address: str, seconds: float) -> Connection:
        loop = asyncio.get_running_loop()
        plain = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            plain.setblocking(False)
            connecting = asyncio.timeout(seconds)
            try:
                async with connecting:
                    await loop.sock_connect(plain, (address, self._port))
            except TimeoutError:
                # Not the request's own time-out: nothing was sent.
                raise OSError(errno.ETIMEDOUT, "no connection in time") from None
            name = self._name if self._tls else None
            _, connection = await loop.create_connection(
                lambda: Connection(self._gone), sock=plain, ssl=self._tls, server_hostname=name
            )
        except BaseException:
            plain.close()
            raise
        return connection

    def _gone(self, connection: Connection) -> None:
        """An idle connection was closed by the other side."""
        if connection in self._idle:
            self._idle.remove(connection)
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._places -= 1
            connection.abort()
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return


def _told(error: OSError) -> str:
    """What a tenant may know of it; the error's own text has the address."""
    match error.errno:
        case errno.ECONNREFUSED:
            return "refused the connection."
        case errno.ETIMEDOUT:
            return "did not accept the connection in time."
    return "could not be connected to."
