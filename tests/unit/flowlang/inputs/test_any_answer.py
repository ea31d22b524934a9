"""Whatever a person sends, a reader answers or says why not, at once, and the same each time."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from flowlang.building.compiler import Compiler
from flowlang.expressions.values import json_size
from flowlang.inputs.base import Invalid, Reader
from flowlang.inputs.registry import INPUT_KINDS
from flowlang.work import Work

MOST_SECONDS = 0.02
"""An event loop that waits longer for one answer is blocked."""
INPUTS: dict[str, list[dict[str, Any]]] = {
    "choice": [{"options": [{"id": "a", "title": "Ä", "synonyms": ["é" * 200]}] }],
    "text": [{}, {"mask": "AA-9999"}, {"mask": "*" * 64}, {"pattern": "(a|aa)+b"}],
    "phone": [{}, {"region": "DE"}],
    "date": [{}, {"formats": ["DDMMYY", "YYYYMMDD"], "min": "today-3660", "max": "9999-12-31"}],
    "time": [{}, {"formats": ["HHmm", "hhmmA"], "multiple_of": 7}],
    "number": [{}, {"multiple_of": 1e-300}, {"multiple_of": 0.1}],
}  # fmt: skip
READERS: list[Any] = [
    pytest.param(kind, more, id=f"{kind}{place}")
    for kind in INPUT_KINDS
    for place, more in enumerate(INPUTS.get(kind, [{}]))
]
LONG = [part * (16_384 // len(part)) for part in (
    "a", "1", "(", "+", "é", "\ufdfa", "\u0301", "a.", "a@", "1 ", "-+", "xn--", "٣", "／", " ", "日.", "1.1.", "12:", "a-", "\U0001f600",
)]  # fmt: skip
TEXTS: Any = st.text(max_size=80) | st.text("0123456789+-() .:/@aext\u0661", max_size=80)
VALUES: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
NAMES = st.sampled_from(
    ["type", "phone", "latitude", "longitude", "mime", "size", "url", "name", "verified", "first_name"]
)
TYPES = st.sampled_from(["photo", "document", "file", "contact", "location", "poll"])
ATTACHMENTS: Any = st.builds(lambda one, type: {**one, "type": type}, st.dictionaries(NAMES, VALUES), TYPES)


class Scopes:
    """What a reader may look at: the time of the event, and a person without a time zone."""

    work = Work()

    def scope(self, name: str) -> Any:
        return {"now": "2026-11-21T12:00:00Z"} if name == "system" else {}

    def missing(self, name: str) -> None:
        raise AssertionError(name)


def reader(kind: str, more: dict[str, Any]) -> Reader:
    compiler = Compiler()
    made = TypeAdapter(INPUT_KINDS[kind]).validate_python({"type": kind, **more}).build(compiler)
    assert [one.message for one in compiler.problems if one.severity == "error"] == []
    return made


def answered(made: Reader, message: dict[str, Any]) -> Any:
    scopes: Any = Scopes()
    scopes.work = Work()
    try:
        return made.read(message, None, scopes)
    except Invalid:
        return None


@pytest.mark.parametrize(("kind", "more"), READERS)
def test_it_is_an_answer_or_it_is_invalid(kind: str, more: dict[str, Any]) -> None:
    made = reader(kind, more)

    @given(TEXTS | VALUES, st.lists(ATTACHMENTS, max_size=2) | VALUES)
    def say(text: Any, attachments: Any) -> None:
        message = {"text": text, "attachments": attachments, "payload": text}
        found = answered(made, message)
        assert found == answered(made, message)
        if found is not None:
            orjson.dumps(found.value)
            assert json_size(found.value) < 1024 + 8 * len(str(message))

    say()


@pytest.mark.parametrize(("kind", "more"), READERS)
def test_a_long_text_takes_no_longer(kind: str, more: dict[str, Any]) -> None:
    made = reader(kind, more)
    for text in LONG:
        for length in (64, 254, 512, 2048, 16_384):
            assert _seconds(made, {"text": text[:length]}) < MOST_SECONDS, (text[:4], length)


def _seconds(made: Reader, message: dict[str, Any]) -> float:
    """The shortest of three: another program may take the machine meanwhile."""
    took = []
    for _ in range(3):
        begun = time.thread_time()
        answered(made, message)
        took.append(time.thread_time() - begun)
    return min(took)
