"""URLs with merge tags: what a tag shows cannot lead to another path."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.expressions.templates import url_template
from flowlang.problems import NodeError
from flowlang.work import Work


class Values:
    """`user`."""

    def __init__(self, **user: Any) -> None:
        self.work, self._user = Work(), user

    def scope(self, name: str) -> Any:
        return self._user if name == "user" else {}

    def missing(self, name: str) -> None:
        """Nothing is strict here."""


@pytest.mark.parametrize("value", ["..", "../admin", "%2e%2e", "%2E%2e/x", "..\\x", "..;/x", "x/../../y"])
def test_a_value_does_not_climb(value: str) -> None:
    for source in ("https://a.example/users/{{ user.v }}/orders", "https://a.example/{{ user.v | append: '/z' }}"):
        with pytest.raises(NodeError, match=r"the path has \.\."):
            url_template(source).render(Values(v=value))


def test_two_values_do_not_climb_together() -> None:
    with pytest.raises(NodeError):
        url_template("https://a.example/{{ user.v }}{{ user.v }}/x").render(Values(v="."))


@pytest.mark.parametrize("value", ["a..b", "...", "v1.2", "./x"])
def test_other_dots_are_values(value: str) -> None:
    shown = url_template("https://a.example/{{ user.v }}?next={{ user.w }}").render(Values(v=value, w="/../x"))
    assert shown.startswith("https://a.example/")
