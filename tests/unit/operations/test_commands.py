"""What both commands, `./switchhook` and `switchhook-ops`, do about every verb."""

import pytest
import typer
from typer.testing import CliRunner

from operations.commands import application, run
from operations.errors import CommandError
from operations.installation import Installation, installation

REFUSED = "SWITCHHOOK_KAFKA_SECURITY is wrong."


def refused() -> Installation:
    raise CommandError(REFUSED)


def test_the_help_of_a_verb_needs_no_installation() -> None:
    app = application("some-command", "Some command.", refused)
    for words in ([], ["topics"], ["topics", "create"], ["migrate"]):
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def test_a_verb_that_asks_for_the_installation_gets_that_of_its_command() -> None:
    app = application("some-command", "Some command.", lambda: Installation("some-command", "say where it is"))
    found = []

    @app.command("look")
    def look(context: typer.Context) -> None:
        found.append(installation(context).command)

    assert CliRunner().invoke(app, ["look"]).exit_code == 0
    assert found == ["some-command"]


def test_a_refusal_is_one_sentence_behind_the_commands_name_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["some-command", "migrate"])
    with pytest.raises(SystemExit) as ended:
        run(application("some-command", "Some command.", refused))
    assert (ended.value.code, capsys.readouterr()) == (1, ("", f"some-command: {REFUSED}\n"))
