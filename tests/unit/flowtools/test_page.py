"""Every command of docs/how-to/test-a-flow.md, word for word, on the flow that stands there."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from devstack.cli import app
from devstack.paths import ROOT
from flowtools.cli import main

PAGE = (ROOT / "docs/how-to/test-a-flow.md").read_text()
COMMANDS = [line for block in re.findall(r"(?ms)^```sh\n(.*?)^```", PAGE) for line in block.splitlines()]
FLOW = re.findall(r"(?ms)^```yaml\n(.*?)^```", PAGE)[0]
OURS = "./switchhook flow "


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_does_what_it_says(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seats.yaml").write_text(FLOW)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    before, ours, words = command.partition(OURS)
    if before:
        typed = subprocess.run(before.rstrip("| "), shell=True, check=True, capture_output=True, text=True)
        monkeypatch.setattr("sys.stdin", io.StringIO(typed.stdout))
    assert ours
    assert main(shlex.split(words)) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    if words.startswith("test "):
        assert re.search(r"^[1-9]\d* cases, 0 failed$", printed.out, re.MULTILINE)
    if "--junit" in words:
        assert 'failures="0"' in (tmp_path / "results.xml").read_text()
    if words.startswith("simulate "):
        assert "  bot: Which lecture?" in printed.out
        assert printed.out.endswith("  no session waits\n")


def test_the_switchhook_command_of_a_checkout_hands_its_words_on(tmp_path: Path) -> None:
    file = tmp_path / "seats.yaml"
    file.write_text(FLOW.replace("bye: {type: end}", "bye: {type: oops}"))
    done = CliRunner().invoke(app, ["flow", "check", str(file)])
    assert done.exit_code == 1
    assert f"{file}:24: error: " in done.output
