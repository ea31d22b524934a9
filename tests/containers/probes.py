"""Whoever runs the health checks: podman leaves that to systemd, which a container or a CI machine may not have."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from containers.podman import podman

EVERY_SECONDS = 1.0


@contextmanager
def probing(project: str) -> Iterator[None]:
    """The health checks of a compose project's containers are run until the end of the block."""
    over = threading.Event()
    thread = threading.Thread(target=probe_until, args=(over, project), name="health checks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def probe_until(over: threading.Event, project: str) -> None:
    """Every second, all that run."""
    while not over.wait(EVERY_SECONDS):
        for name in checked(project):
            # What came out is noted by podman; a container that has just ended is not there any more.
            subprocess.run(["podman", "healthcheck", "run", name], capture_output=True, check=False)


def checked(project: str) -> list[str]:
    """Names of the running containers that have a health check."""
    label = f"label=com.docker.compose.project={project}"
    found = json.loads(podman("ps", "--filter", label, "--format", "json"))
    return [each["Names"][0] for each in found if "(" in each["Status"]]
