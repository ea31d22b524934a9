"""What `switchhook test …` hands to pytest."""

import pytest

from devstack.testing import LIMIT, SHARED, pytest_arguments

FAST = ["tests/checks", "tests/unit", "tests/contract", "tests/bombs"]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ([], ["-m", "not slow", *SHARED, LIMIT]),
        (["fast"], [*FAST, "-m", "not slow", *SHARED, LIMIT]),
        (["fast", "-x"], [*FAST, "-m", "not slow", *SHARED, LIMIT, "-x"]),
        (["slow"], ["-m", "slow or hypothesis", "--hypothesis-profile=slow", *SHARED]),
        (["tests/e2e", "-k", "story"], ["-m", "not slow", "tests/e2e", "-k", "story"]),
    ],
)
def test_words_become_arguments_of_pytest(words: list[str], arguments: list[str]) -> None:
    assert pytest_arguments(words) == arguments
