"""One process of the stack: started so that it ends when we end, its output in a file, stopped at the end."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from devstack.errors import StackError

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass
class Child:
    """One program, run at most once at a time; `start` may be called again after it ended.

    `die_by` is the signal it gets when this process dies without stopping it (Linux).
    """

    name: str
    command: Sequence[str]
    log: Path
    """Its stdout and stderr are appended here."""
    pid_file: Path
    """Names the running process, so that the next start can end one that was left over."""
    cwd: Path
    env: Mapping[str, str] | None = None
    """Its whole environment; None is ours."""
    user: str | None = None
    stop_by: signal.Signals = signal.SIGTERM
    die_by: signal.Signals = signal.SIGKILL
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set while it is meant to run."""

    @property
    def pid(self) -> int:
        """The running process's id; StackError when it does not run."""
        if self._process is None or self._process.returncode is not None:
            raise StackError(f"{self.name} is not running: start it first.")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the program; a process left over from an earlier run of the stack is ended first."""
        self.end_leftover()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *under_launcher(self.command, die_by=self.die_by, user=self.user),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.cwd,
                env=self.env,
                start_new_session=True,  # Ctrl-C is for us alone: we stop the others in order.
            )
        self.pid_file.write_text(process_identity(self._process.pid))
        self._wanted.set()

    def end_leftover(self) -> None:
        """Kill the process that an earlier, killed run of the stack left behind, if there is one."""
        end_leftover(self.pid_file)

    async def wait(self) -> int:
        """The exit code, once it ends; negative for a signal."""
        if self._process is None:
            raise StackError(f"{self.name} was never started: start it first.")
        return await self._process.wait()

    @property
    def wanted(self) -> bool:
        """True from a start until `stop` or `kill`, crashes notwithstanding."""
        return self._wanted.is_set()

    async def crashed(self) -> int:
        """The exit code, once it ends though it is wanted; at once if that is how things stand."""
        while True:
            await self._wanted.wait()
            process = self._process
            code = await self.wait()
            if self.wanted and self._process is process:
                return code

    async def stop(self, grace_seconds: float = 20) -> None:
        """Ask it to end, and kill it with its children after the grace period; nothing if it does not run."""
        self._wanted.clear()
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self.stop_by)
        try:
            async with asyncio.timeout(grace_seconds):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
        self.pid_file.unlink(missing_ok=True)

    async def kill(self) -> None:
        """SIGKILL it and its children, and wait until all are gone."""
        self._wanted.clear()
        if self._process is None or self._process.returncode is not None:
            return
        await asyncio.to_thread(kill_tree, self._process.pid)
        await self._process.wait()

    def last_words(self) -> str:
        """The last line of its log that is not blank."""
        try:
            lines = self.log.read_text(errors="replace").split("\n")[-50:]
        except FileNotFoundError:
            return "it wrote nothing"
        return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")


def under_launcher(command: Sequence[str], *, die_by: signal.Signals, user: str | None = None) -> list[str]:
    """The command, started so that it gets `die_by` when the thread that started it ends (Linux), as another user."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(die_by)), user or "-"]
    return [*launcher, *command]


def process_identity(pid: int) -> str:
    """The pid and the time its process began: a pid alone may by now be another's."""
    try:
        return f"{pid} {psutil.Process(pid).create_time()}"
    except psutil.NoSuchProcess:
        return f"{pid} 0"


def end_leftover(pid_file: Path) -> None:
    """Kill the process that the file names, if that very process still runs."""
    with contextlib.suppress(FileNotFoundError):
        recorded = pid_file.read_text()
        pid = recorded.partition(" ")[0]
        if pid.isdigit() and process_identity(int(pid)) == recorded:
            kill_tree(int(pid))
        pid_file.unlink(missing_ok=True)


def kill_tree(pid: int, *, seconds: float = 10) -> None:
    """SIGKILL a process, then all its descendants; returns when they are gone.

    A child of ours stays a zombie until asyncio reaps it, which counts as gone.
    """
    try:
        root = psutil.Process(pid)
        doomed = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(doomed[1:], timeout=seconds)
