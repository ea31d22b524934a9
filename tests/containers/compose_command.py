"""`docker compose` on podman's socket: the one of docker's module, built with Go and kept beside other downloads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from containers.go_programs import go, kept
from containers.podman import podman_settings

MODULE = "github.com/docker/compose/v2@v2.39.4"
"""The last line of releases that talks to podman 4 as well."""
SOCKET_SECONDS = 10
DOCKER = """\
#!/bin/sh
# `docker compose` for commands that say so; everything else is podman's.
if [ "$1" = compose ]; then
    shift
    exec {compose} "$@"
fi
exec podman "$@"
"""


def compose_binary() -> Path:
    """docker's compose; it is built where it is not there yet."""
    return kept(f"docker-compose-{MODULE.rpartition('@')[2]}", build)


def build(scratch: Path) -> Path:
    """From a copy of the module's source: `go install` refuses a module that leaves versions out."""
    source = json.loads(go("mod", "download", "-json", MODULE, cwd=scratch))["Dir"]
    copy, made = scratch / "source", scratch / "docker-compose"
    shutil.copytree(source, copy)
    for folder, _, _ in os.walk(copy):
        Path(folder).chmod(0o755)
    go("build", "-trimpath", "-ldflags=-s -w", "-o", str(made), "./cmd", cwd=copy)
    return made


@contextmanager
def docker_command(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which `docker compose` works on podman, until the end of the block."""
    programs, socket = folder / "bin", folder / "podman.sock"
    programs.mkdir(parents=True)
    (programs / "docker").write_text(DOCKER.format(compose=compose_binary()))
    (programs / "docker").chmod(0o755)
    env = {"DOCKER_HOST": f"unix://{socket}", "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    serving = ["podman", "system", "service", "--time=0", f"unix://{socket}"]
    log = (folder / "podman.log").open("w")
    with log, subprocess.Popen(serving, env={**os.environ, **podman_settings()}, stderr=log, stdout=log) as service:
        try:
            wait_for(socket)
            yield env
        finally:
            service.terminate()


def wait_for(socket: Path) -> None:
    """Return once podman listens."""
    end = time.monotonic() + SOCKET_SECONDS
    while not socket.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"podman does not listen at {socket}")
        time.sleep(0.05)
