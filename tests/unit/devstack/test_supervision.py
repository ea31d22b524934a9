"""How long a crashed process waits, and what is said about it."""

import asyncio
import errno
import signal
from pathlib import Path
from typing import Any

import pytest

from devstack import log_files
from devstack.errors import StackError
from devstack.service import service_of
from devstack.supervisor import describe, keep_running, little_disk, next_delay


def test_the_delay_doubles_up_to_its_limit_and_starts_over_after_a_stable_life() -> None:
    delays = [0.0]
    for _ in range(7):
        delays.append(next_delay(delays[-1], lived_seconds=1))
    assert delays[1:] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert next_delay(5.0, lived_seconds=31) == 0.2


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "ended with exit code 0"), (3, "ended with exit code 3"), (-signal.SIGKILL, "was killed by SIGKILL")],
)
def test_an_end_is_described_in_words(code: int, words: str) -> None:
    assert describe(code) == words


@pytest.mark.parametrize(
    ("instance", "service"),
    [("flow-engine", "flow-engine"), ("flow-engine-2", "flow-engine"), ("ingress-10", "ingress")],
)
def test_an_instance_belongs_to_the_service_it_is_named_after(instance: str, service: str) -> None:
    assert service_of(instance) == service


def test_an_instance_of_no_service_is_refused() -> None:
    with pytest.raises(ValueError, match="worker-2 is not an instance of"):
        service_of("worker-2")


class Crashing:
    """A server that has crashed, and whose starts go wrong as the test says."""

    name, wanted = "Kafka", True

    def __init__(self, folder: Path, *failures: Exception) -> None:
        self.log, self._failures = folder / "kafka.log", list(failures)
        self.started = asyncio.Event()
        self._never = asyncio.Event()

    async def crashed(self) -> int:
        if self.started.is_set():
            await self._never.wait()
        return 1

    async def launch(self) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.started.set()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full where"),
        (StackError("Kafka's port is taken."), "Kafka's port is taken."),
        (RuntimeError("a bug"), "RuntimeError: a bug"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_a_start_that_fails_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str
) -> None:
    """Seen: an error of the full disk ended the supervision in silence, and Kafka stayed down."""
    monkeypatch.setattr("devstack.supervisor.FIRST_DELAY_SECONDS", 0.0)
    server: Any = Crashing(tmp_path, failure)
    told: list[str] = []

    def report(line: str) -> None:
        told.append(line)
        raise OSError(errno.ENOSPC, "No space left on device")  # The terminal's output is on the same disk.

    running = asyncio.create_task(keep_running(server, report))
    try:
        async with asyncio.timeout(5):
            await server.started.wait()
    finally:
        running.cancel()
    assert words in told[1]


def test_a_crash_on_a_full_disk_names_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert little_disk(tmp_path) == ""
    monkeypatch.setattr("devstack.supervisor.LITTLE_BYTES", 2**60)
    assert "the disk is full" in little_disk(tmp_path)


def test_a_log_that_has_grown_is_rotated_while_its_process_writes_on(tmp_path: Path) -> None:
    file = tmp_path / "ingress.log"
    with file.open("ab", buffering=0) as output:
        output.write(b"first\n" * 10)
        log_files.rotate(file, largest=100)
        assert file.stat().st_size == 60
        output.write(b"second\n" * 10)
        log_files.rotate(file, largest=100)
        output.write(b"third\n")
    assert file.read_bytes() == b"third\n"
    assert (tmp_path / "ingress.log.1").read_bytes() == b"first\n" * 10 + b"second\n" * 10
