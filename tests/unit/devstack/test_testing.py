"""What `switchhook test …` hands to pytest."""

import subprocess
from typing import Any

import pytest

from devstack.errors import StackError
from devstack.testing import CONTAINERS, LIMIT, OPT_IN, SHARED, pytest_arguments, run_tests

FAST = ["tests/checks", "tests/unit", "tests/contract", "tests/bombs"]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ([], ["-m", "not slow", *OPT_IN, *SHARED, LIMIT]),
        (["fast"], [*FAST, "-m", "not slow", *SHARED, LIMIT]),
        (["fast", "-x"], [*FAST, "-m", "not slow", *SHARED, LIMIT, "-x"]),
        (["slow"], ["-m", "slow or hypothesis", "--hypothesis-profile=slow", *OPT_IN, *SHARED]),
        (["containers", "-x"], [*CONTAINERS, "-x"]),
        (["tests/e2e", "-k", "story"], ["-m", "not slow", "tests/e2e", "-k", "story"]),
    ],
)
def test_words_become_arguments_of_pytest(words: list[str], arguments: list[str]) -> None:
    assert pytest_arguments(words) == arguments


def test_what_one_process_compiles_is_there_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], *, env: dict[str, str], **more: Any) -> subprocess.CompletedProcess[bytes]:
        assert "PYTHONDONTWRITEBYTECODE" not in env
        assert "PATH" in env
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(subprocess, "run", run)
    assert run_tests(["-k", "this"]) == 3


def test_what_containers_need_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "shutil.which", lambda program, path: None if program in ("runc", "netavark", "go") else program
    )
    with pytest.raises(StackError, match="apt-get install runc netavark golang-go"):
        run_tests(["containers"])
