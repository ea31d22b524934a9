"""`switchhook dev` from the outside: what it prints, and that nothing is left when it ends, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from devstack.paths import ROOT
from devstack.ports import HOST, free_port

pytestmark = pytest.mark.seconds(60)  # Starts all of the stack.
LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent ended")


class Dev(NamedTuple):
    process: subprocess.Popen[str]
    base_url: str

    def read_until(self, words: str) -> str:
        """What it prints up to and with the line that holds the words; AssertionError if it ends before."""
        assert self.process.stdout is not None
        read = ""
        for line in self.process.stdout:
            read += line
            if words in line:
                return read
        raise AssertionError(read)

    def everyone(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def start(folder: Path, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "support.stand_in_dev", str(folder), str(port)]
    return subprocess.Popen(
        command, cwd=ROOT / "tests", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    port = free_port()
    with start(tmp_path, port) as process:
        yield Dev(process, f"http://{HOST}:{port}")
        if process.poll() is None:
            process.kill()


def test_ctrl_c_stops_everything_in_order(dev: Dev) -> None:
    dev.read_until("Ready after")
    assert "Try:" in dev.read_until("/v1/web/$CHANNEL/sessions")
    children = dev.everyone()
    assert len(children) > 6
    os.killpg(dev.process.pid, signal.SIGINT)
    dev.read_until("Stopped.")
    assert dev.process.wait() == 0
    assert not [child for child in children if child.is_running()]


def test_ctrl_c_while_it_starts_stops_what_was_started(dev: Dev) -> None:
    dev.read_until("Starting")
    os.killpg(dev.process.pid, signal.SIGINT)
    dev.read_until("Stopped.")
    assert dev.process.wait() == 0


@LINUX_ONLY
def test_a_kill_leaves_no_process_either(dev: Dev) -> None:
    dev.read_until("Ready after")
    children = dev.everyone()
    dev.process.kill()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
