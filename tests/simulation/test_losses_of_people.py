"""What protects work with people is missed where it is left out: a judge that finds nothing proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flow_engine.batch import erasing
from flow_engine.turn import broadcasts
from flowlang.running import interpreter, ownership
from simulation.faults import Profile
from simulation.run import simulate

SEEDS = 100


def what_is_older_than_an_erasure_is_applied(patch: pytest.MonkeyPatch) -> None:
    """A platform that says it again brings the person back."""
    patch.setattr(erasing, "is_of_before", lambda arrived, batch: False)


def a_turn_does_not_ask_whether_its_broadcast_runs(patch: pytest.MonkeyPatch) -> None:
    """Somebody is begun with after the pause was answered."""
    note = broadcasts.note_begun

    def unasked(arrived: Any, key: Any, work: Any) -> None:
        note(arrived, key, work)
        work.begun.clear()

    patch.setattr(broadcasts, "note_begun", unasked)


def whoever_comes_later_has_the_conversation(patch: pytest.MonkeyPatch) -> None:
    """Of two agents both write."""
    patch.setattr(ownership, "has_agent", lambda conversation: False)


def what_a_session_waits_for_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    """The answer of a call that comes while an agent answers is lost."""
    patch.setitem(interpreter._WITH_PEOPLE, "call_result", lambda run: None)


@pytest.mark.parametrize(
    ("loss", "profile", "known"),
    [
        (what_is_older_than_an_erasure_is_applied, Profile(people=1, erased=2), 0),
        (a_turn_does_not_ask_whether_its_broadcast_runs, Profile(people=1, told=12, late=0.5), 38),
        (whoever_comes_later_has_the_conversation, Profile(people=1, agents=1), 0),
        (what_a_session_waits_for_is_not_kept, Profile(people=1, agents=2), 0),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_it_is_found(
    loss: Callable[[pytest.MonkeyPatch], None], profile: Profile, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a seed that is known to find it, or else, after a change of what happens under it, by another one."""
    loss(monkeypatch)
    assert any(simulate(seed, profile=profile).wrong for seed in (known, *range(SEEDS)))
