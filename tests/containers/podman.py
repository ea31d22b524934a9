"""Podman, as the tests of containers use it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NO_MORE_FILES_THAN = 20_000
NO_MORE_PROCESSES_THAN = 10_000


class Failed(AssertionError):
    """A command ended with an exit code other than 0; the message has its last lines."""


def run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, seconds: float = 900) -> str:
    """What a command wrote to standard output. Failed when it did not succeed, with what it said."""
    made = subprocess.run(
        command, cwd=cwd, env={**os.environ, **podman_settings(), **(env or {})}, capture_output=True, text=True,
        check=False, timeout=seconds, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if made.returncode:
        said = "\n".join((made.stdout + made.stderr).strip().splitlines()[-25:])
        raise Failed(f"{' '.join(command)[:300]} ended with {made.returncode}:\n{said}")
    return made.stdout


def podman(*words: str, cwd: Path | None = None, seconds: float = 900) -> str:
    """`podman …`; Failed when it did not succeed."""
    return run("podman", *words, cwd=cwd, seconds=seconds)


def build(folder: Path, tag: str, file: Path, label: str) -> None:
    """Build an image with a label from a folder. On the host's network: a build has none of its own where bridges cannot be made."""
    limits = ("--ulimit", f"nofile={NO_MORE_FILES_THAN}:{NO_MORE_FILES_THAN}")
    processes = ("--ulimit", f"nproc={NO_MORE_PROCESSES_THAN}:{NO_MORE_PROCESSES_THAN}")
    words = ("--network", "host", *limits, *processes, "--label", label, "--file", str(file), "--tag", tag)
    podman("build", *words, str(folder))


def has_image(name: str) -> bool:
    """Whether the image is on this machine."""
    return subprocess.run(["podman", "image", "exists", name], check=False).returncode == 0


def size_of(image: str) -> int:
    """Bytes of an image, unpacked, all its layers together."""
    return int(podman("image", "inspect", "--format", "{{.Size}}", image))


def inspected(container: str) -> dict[str, Any]:
    """What podman knows of a container."""
    found: dict[str, Any] = json.loads(podman("container", "inspect", container))[0]
    return found


@functools.cache
def podman_settings() -> dict[str, str]:
    """A containers.conf that picks runc and limits which any kernel grants, unless the environment names another one."""
    if "CONTAINERS_CONF" in os.environ:
        return {}
    folder = Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp")) / f"switchhook-containers-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    limits = (
        f'"nofile={NO_MORE_FILES_THAN}:{NO_MORE_FILES_THAN}", "nproc={NO_MORE_PROCESSES_THAN}:{NO_MORE_PROCESSES_THAN}"'
    )
    text = f'[containers]\ndefault_ulimits = [{limits}]\n[engine]\nruntime = "runc"\n'
    (folder / "containers.conf").write_text(text)
    return {"CONTAINERS_CONF": str(folder / "containers.conf")}
