"""One installation for this folder, started as docs/how-to/deploy.md says."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from containers.bases import have_all
from containers.composed import Composed, composed
from containers.page import commands
from containers.podman import Failed


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """A connection that a test leaves open is found in that test."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def bases() -> None:
    """The images that ours stand on are on this machine."""
    have_all(print)


@pytest.fixture(scope="session")
def installation(bases: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with composed(tmp_path_factory.mktemp("compose"), "switchhook-test") as made:
        begun = time.monotonic()
        try:
            print(made.sh(commands("Start it"), folder=made.checkout, seconds=1800))
        except Failed:
            print(made.compose("logs --no-color setup"))
            raise
        print(f"built and up after {time.monotonic() - begun:.0f} s")
        yield made
        made.sh(commands("Stop it"))
