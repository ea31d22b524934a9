"""Disks of a few hundred MiB for a stack, to fill and to free: only root may mount them, and only on Linux."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MIB = 2**20
SIZES = {".": 1200, "kafka": 700, "postgres": 700}
"""Of the stack's folder and of those in it that have a disk of their own, MiB. What is not used takes no memory."""
BALLAST = "ballast"


class Disks(NamedTuple):
    """The stack's folder with the logs, Kafka's and PostgreSQL's."""

    rest: Path
    kafka: Path
    postgres: Path


def may_mount() -> bool:
    """Whether `small_disks` works here."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextlib.contextmanager
def small_disks(folder: Path) -> Iterator[Disks]:
    """File systems in memory at the folder of a stack, before it is started. OSError when they cannot be mounted."""
    with contextlib.ExitStack() as mounted:
        for name, size in SIZES.items():
            place = folder / name
            place.mkdir(exist_ok=True)
            options = f"size={size}m,mode=755"
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "switchhook-chaos", str(place)],
                check=False,
                capture_output=True,
            )
            if done.returncode != 0:
                raise OSError(errno.EPERM, done.stderr.decode().strip(), str(place))
            mounted.callback(subprocess.run, ["umount", "-l", str(place)], check=False)
        yield Disks(folder, folder / "kafka", folder / "postgres")


def fill(disk: Path) -> None:
    """Leave no byte on it."""
    with (disk / BALLAST).open("wb", buffering=0) as file:
        for piece in (bytes(MIB), bytes(4096), b"x"):
            with contextlib.suppress(OSError):
                while True:
                    file.write(piece)


def free(disk: Path) -> None:
    """As it was before, whether it was filled or not."""
    (disk / BALLAST).unlink(missing_ok=True)
