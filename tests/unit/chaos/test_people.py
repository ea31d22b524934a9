"""The judgement on work with people: whatever was lost, done twice or done by half is named."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from bench.chaos.people import VISITORS, Cycle, findings

CYCLE = Cycle(3, taken={"Kim": 200, "Lee": 409}, said={"Kim": 201, "Lee": 409})
SOUND = Counter([f"News for {name}." for name in CYCLE.told] + ["I am Kim.", "Hello, Visitor 3-2."])
THERE = Counter(CYCLE.there)
COUNTS = {"recipients": 27, "started": VISITORS - 2, "skipped": 27 - VISITORS + 2, "failed": 0, "cancelled": 0}


def found(
    names: Counter[str] = THERE, said: Counter[str] = SOUND, cycle: Cycle = CYCLE, **counts: int
) -> list[tuple[str, str]]:
    return list(findings(cycle, names, said, COUNTS | counts))


def test_a_sound_round_has_nothing() -> None:
    assert found() == []
    assert found(started=VISITORS - 1, skipped=27 - VISITORS + 1) == []


@pytest.mark.parametrize(
    ("changed", "kind", "what"),
    [
        ({"names": THERE - Counter(["Imported 3-4"])}, "lost", "contact Imported 3-4: 0 times"),
        ({"names": THERE + Counter(["Imported 3-4"])}, "applied_twice", "contact Imported 3-4: 2 times"),
        ({"names": THERE + Counter(["Visitor 3-1"])}, "half", "Visitor 3-1 is erased and there"),
        ({"names": THERE + Counter(["None"])}, "applied_twice", "somebody is None"),
        ({"said": SOUND - Counter(["News for Visitor 3-2."])}, "lost", "news Visitor 3-2: 0 times"),
        ({"said": SOUND + Counter(["News for Visitor 3-2."])}, "applied_twice", "news Visitor 3-2: 2 times"),
        ({"said": SOUND + Counter(["Hello, Visitor 3-1."])}, "half", "of who is erased there is left: Hello, Visitor 3-1."),
        ({"said": SOUND + Counter(["I am Kim."])}, "applied_twice", "message of an agent Kim: 2 times"),
        ({"said": SOUND + Counter(["I am Lee."])}, "half", "Lee was refused and has written"),
        ({"skipped": 3}, "half", "the broadcast of  counts"),
        ({"cycle": Cycle(3, taken={"Kim": 409, "Lee": 409})}, "lost", "takeovers were answered"),
        ({"cycle": Cycle(3, taken={"Kim": 200, "Lee": 200})}, "applied_twice", "takeovers were answered"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_what_is_wrong_is_named(changed: dict[str, Any], kind: str, what: str) -> None:
    if "cycle" in changed:
        changed["cycle"].said.update(Kim=409, Lee=409)
    first = found(**changed)[0]
    assert (first[0], first[1][: len(what)]) == (kind, what)
