"""docs/reference/expressions.md names what there is, and its examples come out as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flowlang.cel.functions import OFFERED
from flowlang.expressions.expression import Expression
from flowlang.expressions.scopes import ROOTS
from flowlang.expressions.templates import Template
from flowlang.liquid.reading import TAGS, Reader
from flowlang.work import Work

PAGE = (Path(__file__).parents[2] / "docs/reference/expressions.md").read_text()
NAMES = set(re.findall(r"`([^`]+)`", PAGE))
ROWS = re.findall(r"(?m)^\| `([^`]+)` \| `([^`]*)` \|$", PAGE)
TEXTS = [row for row in ROWS if "{{" in row[0] or "{%" in row[0]]


class Known:
    """The values that the page says its examples are worked out with."""

    def __init__(self) -> None:
        self.work = Work()
        self._values: dict[str, Any] = {
            "user": {"name": "Ann", "age": 31, "tags": []},
            "memory": {"items": ["tea", "milk"]},
        }

    def scope(self, name: str) -> Any:
        return self._values.get(name, {})

    def missing(self, name: str) -> None:
        pass


@pytest.mark.parametrize(("text", "shown"), TEXTS)
def test_a_merge_tag_gives_what_the_page_says(text: str, shown: str) -> None:
    assert Template(text.replace("\\|", "|")).render(Known()) == shown


@pytest.mark.parametrize(("source", "value"), [row for row in ROWS if row not in TEXTS])
def test_a_condition_is_what_the_page_says(source: str, value: str) -> None:
    assert Expression(source).evaluate(Known()) == json.loads(value)


def test_names_tags_filters_and_functions_are_all_on_the_page() -> None:
    assert ROOTS <= NAMES
    assert {tag for tag in TAGS if tag != "#"} <= NAMES
    assert Reader(None, TAGS).filters.keys() <= NAMES
    assert {name for name in OFFERED if name != "has"} <= NAMES
