"""What `switchhook test …` hands to pytest."""

import pytest

from devstack.testing import pytest_arguments


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ([], ["-m", "not slow"]),
        (["fast"], ["tests/unit", "tests/contract", "-m", "not slow"]),
        (["fast", "-x"], ["tests/unit", "tests/contract", "-m", "not slow", "-x"]),
        (["slow"], ["-m", "slow"]),
        (["tests/e2e", "-k", "story"], ["-m", "not slow", "tests/e2e", "-k", "story"]),
    ],
)
def test_words_become_arguments_of_pytest(words: list[str], arguments: list[str]) -> None:
    assert pytest_arguments(words) == arguments
