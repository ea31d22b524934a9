"""What a dead letter becomes when it is released."""

from __future__ import annotations

import pytest

from contracts import inbound
from contracts.topic import RECORD_LIMIT
from registry.kafka.dead_letters import Letter, Place, released
from servicekit.kafka.records import Record, dead_letter
from servicekit.web.problems import ProblemError


def letter_of(value: bytes) -> Letter:
    original = Record(inbound.TOPIC.name, 0, 7, 0, b"k", value, (("ce_id", b"e"), ("src-offset", b"1")))
    made = dead_letter("flow-engine", original, "failed", "a bug")
    return Letter(Place("flow-engine", 1, 0), Record(made.topic, 1, 0, 0, made.key, made.value, tuple(made.headers)))


def test_it_is_the_record_once_more() -> None:
    assert released(letter_of(b"{}")) == (inbound.TOPIC.name, b"k", b"{}", [("ce_id", b"e")], None)


@pytest.mark.parametrize("size", [RECORD_LIMIT + 1, 9 << 20], ids=["larger than its topic takes", "cut"])
def test_what_does_not_fit_any_more_is_refused(size: int) -> None:
    with pytest.raises(ProblemError) as refused:
        released(letter_of(b"x" * size))
    assert (refused.value.status, refused.value.type_slug) == (409, "not-releasable")
