"""A server process of the stack: what Kafka, PostgreSQL and the services have in common."""

import asyncio
import os
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path

from devstack.child import Child
from devstack.errors import StackError

PROBE_SECONDS = 0.05


class Server(ABC):
    """Starts, stops and kills one server. `start` after `stop`, `kill` or a crash goes on with the same data and port."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._launching = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._child.name

    @property
    def pid(self) -> int:
        """StackError while it does not run."""
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.running

    @property
    def log(self) -> Path:
        """Where to look when something goes wrong."""
        return self._child.log

    @property
    def wanted(self) -> bool:
        """True from a start until `stop` or `kill`, crashes notwithstanding."""
        return self._child.wanted

    async def launch(self) -> None:
        """Start the process, unless it runs, without waiting until it serves requests."""
        async with self._launching:
            if not self.running:
                await self._launch()

    @abstractmethod
    async def _launch(self) -> None:
        """Start the process, which does not run."""

    @abstractmethod
    async def is_ready(self) -> bool:
        """True if it serves requests now."""

    async def start(self) -> None:
        """Start the process and wait until it serves requests."""
        await self.launch()
        await self.wait_ready(must_run=True)

    async def wait_ready(self, *, seconds: float = 60, must_run: bool = False) -> None:
        """Return once it serves requests; StackError if it does not in time.

        With `must_run` it is an error at once if it does not run; without, a supervisor may start it meanwhile.
        """
        deadline = time.monotonic() + seconds
        while not await self.is_ready():
            if must_run and not self.running:
                raise StackError(f"{self.name} ended while starting ({self._child.last_words()}): see {self.log}.")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} was not ready within {seconds:.0f} s: see {self.log}.")
            await asyncio.sleep(PROBE_SECONDS)

    async def crashed(self) -> int:
        """Wait until it has ended though it is wanted; its exit code, negative for a signal."""
        return await self._child.crashed()

    async def stop(self, *, grace_seconds: float = 20) -> None:
        """Ask it to end; kill it when it has not ended by then. Nothing if it does not run."""
        await self._child.stop(grace_seconds)

    async def kill(self) -> None:
        """SIGKILL it with its children. A supervisor leaves it down until `start`.

        To see it come back by itself, send the signal to its `pid` instead.
        """
        await self._child.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to its first process, such as SIGSTOP and SIGCONT for a freeze."""
        os.kill(self.pid, number)


def make_folder(folder: Path) -> None:
    """Make a folder with its parents; StackError when the disk or its owner does not allow that."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"{folder} cannot be made ({error.strerror}): free some disk or mend its owner.") from error
