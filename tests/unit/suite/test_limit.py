"""A test that takes longer than it may fails; what it shares with others is not held against it."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)
PASSES_TIME = """
import time
import pytest

def pass_time():
    until = time.perf_counter() + 0.2
    while time.perf_counter() < until:
        pass
"""


def run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(PASSES_TIME + text)
    pytester.makeini("[pytest]\nmarkers =\n    seconds(limit): x\n    slow: x\n")
    plugins = ("--disable-plugin-autoload", "-p", "support.suite.limit", "-p", "no:cacheprovider")
    return pytester.runpytest_inprocess(*plugins, *options)


@pytest.mark.parametrize("scope", ["function", "module"])
def test_a_setup_counts_if_it_is_the_tests_own(pytester: pytest.Pytester, scope: str) -> None:
    result = run(
        pytester,
        f"""
@pytest.fixture(scope="{scope}")
def service():
    pass_time()

def test_x(service): ...
""",
        "--limit-seconds=0.15",
    )
    result.assert_outcomes(passed=scope == "module", failed=scope == "function")


def test_it_says_how_long_it_took_and_how_long_it_may_take(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.seconds(0.1)
def test_a_call():
    pass_time()

@pytest.mark.seconds(1)
def test_another():
    pass_time()

@pytest.mark.slow
def test_a_third():
    pass_time()
""",
        "--limit-seconds=0.15",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["It took 0.* s of its own, and may take 0.1 s*"])


def test_without_the_option_there_is_no_limit(pytester: pytest.Pytester) -> None:
    run(pytester, "@pytest.mark.seconds(0.1)\ndef test_x():\n    pass_time()\n").assert_outcomes(passed=1)
