"""The words of the command, over a registry that has one empty project."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import httpx
import pytest

from botfiles import cli
from botfiles.api import Api
from botfiles.cli import CUT_OFF, LEFT, UNUSABLE, WELL, main


def empty(request: httpx.Request) -> httpx.Response:
    assert request.method == "GET", "nobody was asked"
    assert request.headers["authorization"] == "Bearer t"
    items = [{"id": "p"}] if request.url.path == "/v1/projects" else []
    return httpx.Response(200, json={"items": items, "next": None})


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_TOKEN", "t")
    monkeypatch.setenv("SWITCHHOOK_URL", "http://registry.test")
    monkeypatch.setattr(cli, "Api", partial(Api, transport=httpx.MockTransport(empty)))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments/vip.yaml").write_text("name: vip\nfilter: 'true'\n")
    return str(tmp_path)


def test_a_dry_run_shows_the_plan(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "-f", folder, "--dry-run"]) == WELL
    assert capsys.readouterr().out == "create   segment vip\n1 create\n"


def test_who_cannot_be_asked_has_to_say_yes(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "-f", folder]) == UNUSABLE
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["", "n", "maybe"])
def test_nothing_is_done_unless_the_answer_is_yes(folder: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert main(["apply", "-f", folder]) == LEFT


def test_an_export_says_which_files_the_project_does_not_have(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", folder]) == WELL
    assert capsys.readouterr().out == "left     segments/vip.yaml: the project does not have it\n"


def test_a_name_cannot_move_the_terminals_cursor(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    (Path(folder) / "segments/vip.yaml").write_text("name: \"vip\\e[2J\\u202e\"\nfilter: 'true'\n")
    assert main(["apply", "-f", folder, "--dry-run"]) == WELL
    assert capsys.readouterr().out == "create   segment vip\\u001b[2J\\u202e\n1 create\n"


def test_who_cuts_it_off_is_told_what_to_do(
    folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cut_off(api: Api) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "read_project", cut_off)
    assert main(["apply", "-f", folder]) == CUT_OFF
    assert "the same command does the rest" in capsys.readouterr().err
