"""Kafka's cache of loaded classes is made once a machine; nobody waits for it, and a broker starts without it, too."""

from pathlib import Path

import pytest

from devstack.errors import StackError
from devstack.kafka_cache import cache_for, not_elsewhere


class Rehearsals:
    """Makes a cache, or fails; counts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.count, self._error = 0, error

    async def __call__(self, folder: Path) -> Path:
        self.count += 1
        if self._error is not None:
            raise self._error
        (folder / "made").write_bytes(b"classes")
        return folder / "made"


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    (tmp_path / "kafka-1").mkdir()
    return tmp_path / "kafka-1"


async def test_it_is_made_once_and_lies_beside_the_jars(jars: Path) -> None:
    rehearsals = Rehearsals()
    cache = await cache_for(jars, rehearsals)
    assert cache is not None
    assert cache.parent == jars.parent
    assert cache.read_bytes() == b"classes"
    assert await cache_for(jars, rehearsals) == cache
    assert rehearsals.count == 1
    assert not list(jars.parent.glob(".kafka-*"))


async def test_who_starts_while_another_makes_it_does_without(jars: Path) -> None:
    rehearsals = Rehearsals()

    async def meanwhile(folder: Path) -> Path:
        assert await cache_for(jars, rehearsals) is None
        return await rehearsals(folder)

    assert await cache_for(jars, meanwhile) is not None
    assert rehearsals.count == 1


@pytest.mark.parametrize("error", [StackError("it did not start"), OSError("no space left on device")])
async def test_what_cannot_be_made_is_said_once_and_not_tried_again(jars: Path, error: Exception) -> None:
    rehearsals = Rehearsals(error)
    assert await cache_for(jars, rehearsals) is None
    assert await cache_for(jars, rehearsals) is None
    assert rehearsals.count == 1


def test_a_place_is_one_process_at_a_time(tmp_path: Path) -> None:
    with not_elsewhere(tmp_path / "lock") as first, not_elsewhere(tmp_path / "lock") as second:
        assert (first, second) == (True, False)
    with not_elsewhere(tmp_path / "lock") as third:
        assert third
