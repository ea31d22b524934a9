"""The command of who writes flows: what it prints, and its exit codes."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest

from devstack.paths import ROOT
from flowlang.language.document import parse
from flowtools.cli import main

FLOW = """\
schema: flow/1
slug: seats
name: Seats
start: ask
triggers:
  - {id: go, type: command, value: /go, to: ask}
nodes:
  ask:
    type: ask
    text: Who?
    input: {type: text, save_to: user.nick}
    ports: {ok: greet}
  greet:
    type: say
    parts: [{text: "Hello, {{ user.nick }}."}]
"""
TESTS = """\
tests:
  - name: It greets
    steps:
      - {say: /go}
      - say: Ann
        expect: {says: ["Hello, Ann."]}
  - name: It says no more <than> that
    steps:
      - say: /go
        expect: {says: []}
"""
OTHER = FLOW.replace("slug: seats", "slug: other").replace("/go", "/other")
JUMP = "    ports: {ok: there}\n  there: {type: jump, flow: other}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


@pytest.mark.usefixtures("folder")
def test_a_sound_flow_has_no_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", write("seats.yaml", FLOW)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("folder")
def test_a_finding_names_file_line_pointer_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = FLOW.replace("ok: greet", "ok: gret").replace("user.nick }}", "user.nik }}")
    assert main(["check", write("seats.yaml", wrong)]) == 1
    found = capsys.readouterr().out.splitlines()
    assert found[0] == (
        "seats.yaml:12: error: there is no node 'gret': name one that exists or add it; the nearest is 'greet'"
        " (/nodes/ask/ports/ok, unknown-target)"
    )
    assert found[1].startswith("seats.yaml:13: error: nothing leads here")
    assert found[2].startswith("seats.yaml:15: warning: user.nik is neither declared")


@pytest.mark.usefixtures("folder")
def test_warnings_alone_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", write("seats.yaml", FLOW.replace("user.nick }}", "user.nik }}"))]) == 0
    assert "warning" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("text", "line"), [("a: [", 1), ("a: 1\na: 2\n", 1), ("- 1\n", 1), ("", 1)])
def test_what_is_no_document_is_a_finding(text: str, line: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", write("seats.yaml", text)]) == 1
    assert capsys.readouterr().out.startswith(f"seats.yaml:{line}: error: ")


@pytest.mark.usefixtures("folder")
def test_json_is_read_too(capsys: pytest.CaptureFixture[str]) -> None:
    document = parse(FLOW)
    document["nodes"]["ask"]["ports"] = {"oops": "greet"}
    assert main(["check", write("seats.json", orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())]) == 1
    assert "seats.json:23: error: ask has no port 'oops'" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_flows_beside_it_are_of_the_same_bot(capsys: pytest.CaptureFixture[str]) -> None:
    jumping = FLOW.replace("    ports: {ok: greet}\n", JUMP).partition("  greet:")[0]
    flow, other = write("seats.yaml", jumping), write("other.yaml", OTHER)
    assert main(["check", flow, "--beside", other]) == 0
    assert main(["check", flow, "--beside", write("third.yaml", OTHER.replace("other", "third"))]) == 1
    assert "'other'" in capsys.readouterr().out
    assert main(["check", flow, "--beside", write("third.yaml", OTHER.replace("/other", "/GO"))]) == 1
    assert "/go is a command of the flow 'other' too" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_cases_are_run_and_what_failed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", write("seats.yaml", FLOW + TESTS), "--junit", "out.xml"]) == 1
    assert capsys.readouterr().out == (
        "passed  seats.yaml: It greets\n"
        "FAILED  seats.yaml: It says no more <than> that\n"
        "        seats.yaml:25: error: expected [], was ['Who?'] (/tests/1/steps/0/expect/says, not-as-expected)\n"
        "2 cases, 1 failed\n"
    )
    root = ElementTree.parse("out.xml").getroot()
    assert root.attrib["failures"] == "1"
    [suite] = root
    assert [case.attrib["name"] for case in suite] == ["It greets", "It says no more <than> that"]
    assert [len(case) for case in suite] == [0, 1]
    assert suite[1][0].attrib["message"] == "expected [], was ['Who?']"


@pytest.mark.usefixtures("folder")
def test_a_flow_that_is_not_sound_is_a_case_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", write("seats.yaml", FLOW.replace("ok: greet", "ok: gret") + TESTS)]) == 1
    assert "FAILED  seats.yaml: the document is sound\n" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_code_runs_in_the_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    source = "send(url_for('/x')[:20])\\nrun('/go', user_id='7')\\n1 + 1"
    code = FLOW.replace(
        'type: say\n    parts: [{text: "Hello, {{ user.nick }}."}]', f'type: code\n    source: "{source}"'
    )
    cases = TESTS.partition("  - name: It says no")[0].replace("Hello, Ann.", "https://bot.invalid/")
    assert main(["test", write("seats.yaml", code + cases)]) == 0, capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_cards_are_said_as_the_channel_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    cards = FLOW.replace('[{text: "Hello, {{ user.nick }}."}]', "[{cards: [{title: Hall A, text: Big}]}]")
    seen = "".join(
        f"  - {{name: {channel}, given: {{channel: {channel}}}, steps: [{{say: /go}}, {{say: Ann, expect: {{says: {says}}}}}]}}\n"
        for channel, says in (("telegram", r'["Hall A\nBig"]'), ("webchat", '[""]'))
    )
    assert main(["test", write("seats.yaml", f"{cards}tests:\n{seen}")]) == 0, capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_a_script_is_played_and_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    flow = write("seats.yaml", FLOW)
    script = write("script.yaml", "given: {user: {name: Ann}}\nsteps:\n  - {say: /go}\n  - {tap: Yes}\n")
    assert main(["simulate", flow, "--script", script, "--json"]) == 1
    printed = capsys.readouterr()
    told = orjson.loads(printed.out)
    assert told["before"]["contact"]["name"] == "Ann"
    assert told["steps"][0]["after"]["conversation"]["session"]["wait"]["node"] == "ask"
    assert (
        printed.err
        == "script.yaml:4: error: no button or quick reply 'Yes' was shown: there are none (/steps/1/tap, cannot-play)\n"
    )


@pytest.mark.usefixtures("folder")
def test_lines_are_what_is_typed_or_steps(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("/go\n\n{say: Ann}\n{wait: soon}\n{nothing: 1}\n"))
    assert main(["simulate", write("seats.yaml", FLOW)]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("  ask (ask)\n    event flow.launched\n  bot: Who?\n  waits at ask\n")
    assert "  bot: Hello, Ann.\n" in printed.out
    assert len(printed.err.splitlines()) == 2


@pytest.mark.parametrize(
    "arguments",
    [["check", "nothing.yaml"], ["test", str(ROOT)], ["simulate", "a.yaml", "--script", "b.yaml"]],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_read_is_said_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write("a.yaml", FLOW)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("switchhook-flow: ")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["check"]])
def test_words_that_it_does_not_know_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
