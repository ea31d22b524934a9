"""Programs that are built with Go from their modules, once, and kept beside other downloads."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from containers.podman import Failed, run
from devstack.paths import cache_dir
from devstack.testing import HELPERS

OLDEST = (1, 21)
"""Of Go: from here on it fetches a newer one by itself where a module asks for that."""
BUILD_SECONDS = 1800
SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "auto", "GOFLAGS": ""}


def kept(name: str, build: Callable[[Path], Path]) -> Path:
    """The program of this name, which has its version in it. `build` makes it in a folder where it is not there yet: some minutes, once."""
    file = cache_dir() / name
    if not file.exists():
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".go-") as scratch:
            build(Path(scratch)).replace(file)
    return file


def go(*words: str, cwd: Path, **settings: str) -> str:
    """What `go …` wrote. Failed when it did not succeed, or is not here or too old."""
    return run(found(), *words, cwd=cwd, env=SETTINGS | settings, seconds=BUILD_SECONDS)


def found() -> str:
    """The path of Go. Failed when there is none, or one that is too old."""
    program = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), *HELPERS]))
    if program is None:
        raise Failed("docker's compose and Caddy are built with Go, which is not here: apt-get install golang-go.")
    said = run(program, "version")
    number = re.search(r"go(\d+)\.(\d+)", said)
    if number is None or (int(number[1]), int(number[2])) < OLDEST:
        raise Failed(
            f"{program} is too old ({said.strip()}): Go {OLDEST[0]}.{OLDEST[1]} or newer is needed "
            "(Debian 12 has it in bookworm-backports)."
        )
    return program
