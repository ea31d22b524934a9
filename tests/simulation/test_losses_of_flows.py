"""What nodes and triggers promise is missed where it is left out: a judge that finds nothing proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from dispatcher.sending.sender import Sender
from flow_engine.turn import own_events
from flowlang.nodes import split
from flowlang.nodes.base import Go
from flowlang.nodes.call_flow import CallFlow
from simulation.faults import Profile
from simulation.run import simulate

SEEDS = 50


def a_call_that_a_crash_cut_off_is_made_again(patch: pytest.MonkeyPatch) -> None:
    """What may not be asked for twice is."""
    patch.setattr(Sender, "cut_off", lambda self, delivery: None)


def a_way_is_another_one_each_time(patch: pytest.MonkeyPatch) -> None:
    """A person goes now this way of a split, now that."""
    numbers = count()
    patch.setattr(split, "_point", lambda flow, node, contact, total: next(numbers) % total)


def what_a_called_flow_returns_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    """Who called it goes on without."""
    patch.setattr(CallFlow, "resume", lambda self, run, happening: Go("next"))


def a_turn_tells_its_own_flows_nothing(patch: pytest.MonkeyPatch) -> None:
    """What has happened begins none."""
    patch.setattr(own_events, "note", lambda writer, type, data: None)


@pytest.mark.parametrize(
    ("loss", "profile", "known"),
    [
        (a_call_that_a_crash_cut_off_is_made_again, Profile(kill=0.03), 0),
        (a_way_is_another_one_each_time, Profile(people=3), 0),
        (what_a_called_flow_returns_is_not_kept, Profile(people=3), 0),
        (a_turn_tells_its_own_flows_nothing, Profile(people=3), 0),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_it_is_found(
    loss: Callable[[pytest.MonkeyPatch], None], profile: Profile, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a seed that is known to find it, or else, after a change of what happens under it, by another one."""
    loss(monkeypatch)
    assert any(simulate(seed, profile=profile).wrong for seed in (known, *range(SEEDS)))
