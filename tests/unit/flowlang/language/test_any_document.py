"""Whatever is in a document, the checker answers with problems, and what passes it runs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowlang.language.check import check
from flowlang.language.document import parse

EXAMPLE = parse((Path(__file__).parents[4] / "examples" / "flows" / "reserve-lecture.yaml").read_text())
SCALARS: Any = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
TEXTS: Any = st.sampled_from(
    ["", "say", "{{", "{% if %}", "{{ memory.x }}", "bye", "user.x", "/start", "P1D", "https://a/", "["]
)
VALUES: Any = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | TEXTS, inner, max_size=3),
    max_leaves=8,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in it."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += [(value, key), *places(item)]
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10_000), VALUES), min_size=1, max_size=3))
def test_a_document_with_anything_in_it_is_checked_and_runs_if_it_is_sound(talk_of: Any, changes: list[Any]) -> None:
    document = copy.deepcopy(EXAMPLE)
    for number, value in changes:
        found = places(document)
        container, key = found[number % len(found)]
        container[key] = value
    problems = check(document)
    if not any(problem.severity == "error" for problem in problems):
        talk_of(document).say("/start")
