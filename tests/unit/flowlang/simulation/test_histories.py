"""What was recorded once is made again, word for word; and there is a history for each of our node types and triggers."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from flowlang.simulation.cases import to_the_end
from histories import FOLDER, as_data, load, names, playing, replay, visited
from histories.record import record

RULES = (
    "two-quick-messages",
    "message-during-a-call-waits",
    "message-during-a-call-interrupts",
    "message-during-a-call-is-ignored",
    "late-answer",
    "answer-twice",
    "double-tap",
    "timeout-before-answer",
    "answer-before-timeout",
    "command-inside-a-question",
    "path-without-a-wait-goes-back",
    "path-with-a-wait-supersedes",
    "tap-on-an-old-button-leads",
    "session-expires",
    "step-budget",
    "error-port",
    "on-error",
    "undrawn-timeout-is-error",
    "precedence",
    "opt-out-and-back",
    "missing-value",
    "strict",
    "start-refused",
)
RECORD = "record one: PYTHONPATH=tests .venv/bin/python -m histories.record NAME.yaml (docs/how-to/extend/node.md)"


@pytest.mark.parametrize("name", names())
def test_a_recorded_history_is_repeated(name: str) -> None:
    history = load(name)
    assert replay(history) == history["told"]


def _ours(group: str) -> set[str]:
    return {point.name for point in Distribution.from_name("switchhook-flowlang").entry_points if point.group == group}


def test_each_node_type_and_trigger_has_one() -> None:
    seen = {one for name in names() for one in visited(load(name))}
    nodes = {type for type, _ in seen}
    triggers = {kind for type, kind in seen if type == "trigger"}
    assert _ours("switchhook.nodes") - nodes == set(), RECORD
    assert _ours("switchhook.triggers") - triggers == set(), RECORD


def test_each_rule_has_one() -> None:
    assert set(RULES) - set(names()) == set(), RECORD


def test_what_is_recorded_is_not_written_anew(tmp_path: Path) -> None:
    (tmp_path / f"{names()[0]}.yaml").write_text("about: It\n")
    with pytest.raises(SystemExit, match="take another name"):
        record(tmp_path / f"{names()[0]}.yaml")


def test_one_is_recorded_as_it_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histories.record.FOLDER", tmp_path)
    monkeypatch.setattr("histories.FOLDER", tmp_path)
    (tmp_path / "code.yaml").write_text(
        "about: Code says something\n"
        "flows:\n"
        "  - {schema: flow/1, slug: s, name: S, start: say,\n"
        "     triggers: [{id: go, type: command, value: /go, to: say}],\n"
        "     nodes: {say: {type: code, source: \"send('Hello')\"}}}\n"
        "steps: [{say: /go}]\n"
    )
    record(tmp_path / "code.yaml")
    history = load("code")
    assert [effect["text"] for effect in history["told"]["steps"][0]["turns"][0]["effects"] if "text" in effect] == [
        "Hello"
    ]
    assert replay(history) == history["told"]
    changed = load("code")
    changed["flows"][0]["name"] = "Other"
    assert replay(changed) != changed["told"]
    assert as_data(to_the_end(playing(history), lambda code: history["code"][0])) == history["told"]
    assert FOLDER.name == "recorded"
