"""What asyncio would only log, of a task that nobody waits for, fails a test."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)
LEAVING = """
import asyncio
import gc

async def fails():
    raise ValueError("nobody asks")

def run(work):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(work)
    loop.close()
"""


def run(pytester: pytest.Pytester, text: str) -> pytest.RunResult:
    pytester.makepyfile(LEAVING + text)
    plugins = ("--disable-plugin-autoload", "-p", "support.suite.lost_tasks", "-p", "no:cacheprovider")
    return pytester.runpytest_inprocess(*plugins)


def test_a_failure_that_nobody_saw_is_told_with_the_name_of_its_task(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_x():
    async def leave():
        asyncio.create_task(fails(), name="the lost one")
        await asyncio.sleep(0)
    run(leave())

def test_y():
    gc.collect()
""",
    )
    # With Python's counting of references it is found at once.
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_x*", "*name='the lost one'*", "ValueError: nobody asks"])


def test_a_task_that_was_left_pending_is_told(pytester: pytest.Pytester) -> None:
    """By the last test, too, where garbage would else be collected after it."""
    result = run(
        pytester,
        """
def test_x():
    async def leave():
        circle = {}
        async def waits():
            circle["future"] = asyncio.Future()
            await circle["future"]
        circle["task"] = asyncio.create_task(waits(), name="the pending one")
        await asyncio.sleep(0)
    gc.disable()
    run(leave())
    gc.enable()
""",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*destroyed but it is pending*", "*name='the pending one'*"])


def test_who_sees_his_tasks_through_is_told_nothing(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_x():
    async def see():
        task = asyncio.create_task(fails())
        await asyncio.wait([task])
        assert task.exception()
    run(see())
""",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_of_a_test_with_servers_it_is_told_at_the_end(pytester: pytest.Pytester, workers: str) -> None:
    """Also where a worker ran it."""
    folder = pytester.mkdir("tests") / "component"
    folder.mkdir()
    (folder / "test_a.py").write_text(
        LEAVING
        + """
def test_x():
    async def leave():
        asyncio.create_task(fails(), name="the lost one")
        await asyncio.sleep(0)
    run(leave())
"""
    )
    plugins = (
        "--disable-plugin-autoload",
        "-p",
        "support.suite.lost_tasks",
        "-p",
        "no:cacheprovider",
        "-p",
        "xdist.plugin",
    )
    result = pytester.runpytest_inprocess(*plugins, "-n", workers)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*lost tasks*", "at tests/component/test_a.py::test_x, or before:*", "*'the lost one'*"]
    )
