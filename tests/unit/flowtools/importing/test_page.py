"""Every command of docs/how-to/move-from-typebot.md, word for word, on the export that stands there."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from devstack.paths import ROOT
from flowtools.cli import main
from flowtools.importing import typebot_blocks

PAGE = (ROOT / "docs/how-to/move-from-typebot.md").read_text()
OURS = "./switchhook flow "


def block(kind: str) -> str:
    found = re.search(rf"(?ms)^```{kind}\n(.*?)^```", PAGE)
    assert found
    return found[1]


def test_the_commands_of_the_page_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lead.json").write_text(block("json"))
    for command in block("sh").splitlines():
        before, ours, words = command.partition(OURS)
        words, _, into = words.partition(" > ")
        if before:
            typed = subprocess.run(before.rstrip("| "), shell=True, check=True, capture_output=True, text=True)
            monkeypatch.setattr("sys.stdin", io.StringIO(typed.stdout))
        assert ours
        assert main(shlex.split(words)) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        if into:
            Path(into).write_text(printed.out)
    assert "  bot: Thank you, Ann." in printed.out
    assert Path("lead.txt").read_text() == block("text")


def test_the_page_names_each_block_that_becomes_something() -> None:
    named = PAGE.lower()
    kinds = (kind.lower().removesuffix(" input").removesuffix(" number") for kind in typebot_blocks.BUILT)
    titles = {"choice": "buttons", "http request": "http request"}
    assert [kind for kind in kinds if titles.get(kind, kind) not in named] == []
