"""A fault that was found and mended is found again when it is put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import servicekit.loop.infrastructure
import servicekit.loop.preparation
from servicekit.checkpoints import fence
from servicekit.checkpoints.transactions import OutcomeUnknown
from servicekit.kafka.records import Source
from simulation import repairs
from simulation.faults import Profile
from simulation.run import simulate

SEEDS = range(40)


def marks_know_no_incarnation(patch: pytest.MonkeyPatch) -> None:
    """What follows a topic that was made anew is taken for repeats of its old records."""

    def is_repeat(seen: fence.Seen, source: Source) -> bool:
        return (source.offset, source.ordinal) <= seen.get(f"{source.topic}/{source.partition}", (-1, -1))[:2]

    patch.setattr(servicekit.loop.preparation, "is_repeat", is_repeat)


def a_log_that_was_cut_off_keeps_its_incarnation(patch: pytest.MonkeyPatch) -> None:
    """What gets the offsets that were cut off is taken for repeats of what had them."""
    made = repairs.repair
    patch.setattr(repairs, "repair", lambda at, log: replace(made(at, log), cut_off=False))


def an_unknown_commit_ends_the_process(patch: pytest.MonkeyPatch) -> None:
    """Timers whose commit has no answer end the engine."""
    faults = tuple(each for each in servicekit.loop.infrastructure.PARTS_FAULT if each is not OutcomeUnknown)
    patch.setattr(servicekit.loop.infrastructure, "PARTS_FAULT", faults)


@pytest.mark.parametrize(
    ("loss", "profile"),
    [
        (marks_know_no_incarnation, Profile(log="made anew")),
        (a_log_that_was_cut_off_keeps_its_incarnation, Profile(log="cut off")),
        (an_unknown_commit_ends_the_process, Profile(unknown=0.1)),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_it_is_found_again(
    loss: Callable[[pytest.MonkeyPatch], None], profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss(monkeypatch)
    assert any(simulate(seed, profile=profile).wrong for seed in SEEDS)
