"""Whatever a file holds: a flow with a report comes out, or a refusal. And the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowlang.language.check import check
from flowlang.language.yaml_text import LONGEST, parse
from flowtools.cli import main
from flowtools.importing import typebot_blocks
from flowtools.importing.draft import MOST_FINDINGS
from flowtools.importing.exports import LONGEST_EXPORT, NotImported
from flowtools.importing.importer import imported
from support.exports import EXPORTS

NAMES = [
    "name", "id", "title", "type", "version", "groups", "blocks", "edges", "events", "variables", "options", "content",
    "items", "outgoingEdgeId", "to", "groupId", "blockId", "variableId", "expressionToEvaluate", "richText", "children",
    "text", "plainText", "comparisons", "comparisonOperator", "value", "webhook", "url", "method", "headers", "key",
    "body", "isCustomBody", "responseVariableMapping", "bodyPath", "nodes", "onEnter", "onReceive", "next", "condition",
    "node", "startNode", "catchAll", "skill", "flow", "skillData", "contentId", "min", "max", "step", "length",
    "secondsToWaitFor", "aPercent",
]  # fmt: skip
WORDS = [
    *typebot_blocks.BUILT, *typebot_blocks.LEFT_OUT, "start", "command", "g", "b", "v", "e", "{{n}}", "{%", "{{=x=}}", "1e400", "-1",
    "n", "https://a.example.com/{{n}}", '{"cel": "1"}', "say #!builtin_text-a", 'setVariable {"type":"user","name":"id"}',
    "END", "x.flow.json", "skill-call", "choice", "user.a > 1", "Equal to", "Contains", "PUT", "٣", "²", "a\x00\x85\ufeff", "",
]  # fmt: skip
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.sampled_from(WORDS), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip
ids = st.sampled_from(["g", "b", "v", "e", "n"])
blocks = st.lists(
    st.fixed_dictionaries(
        {"id": ids, "type": st.sampled_from(WORDS)},
        optional={"outgoingEdgeId": ids, "options": values, "content": values, "items": values},
    ),
    max_size=5,
)
typebots = st.fixed_dictionaries(
    {"groups": st.lists(st.fixed_dictionaries({"id": ids, "blocks": blocks}, optional={"title": values}), max_size=3)},
    optional={"events": values, "name": values, "edges": st.lists(st.fixed_dictionaries({"id": ids, "to": values}))},
).map(lambda one: {"variables": [{"id": "v", "name": "n"}], **one})
bots = st.fixed_dictionaries(
    {"nodes": st.lists(st.fixed_dictionaries({"name": ids}, optional=dict.fromkeys(NAMES[1:], values)), max_size=4)},
    optional={"startNode": ids, "catchAll": values},
)


def judged(export: Any, builder: str) -> None:
    """It is refused, or a document comes out whose errors are all in the report and whose text is read as it is."""
    try:
        found = imported(export, builder, {"content-elements/a.json": export}, "any.flow.json")
    except NotImported:
        return
    errors = [problem for problem in check(found.document) if problem.severity == "error"]
    assert len(errors) == found.errors
    assert {error.message for error in errors} <= {finding.instead for finding in found.findings}
    assert parse(found.text) == found.document
    assert all(finding.line().isprintable() and finding.to_do for finding in found.findings)


@settings(max_examples=100)
@given(values | typebots)
def test_any_json_is_taken_as_typebots_without_a_crash(export: Any) -> None:
    judged(export, "typebot")


@settings(max_examples=100)
@given(values | bots)
def test_any_json_is_taken_as_botpresss_without_a_crash(export: Any) -> None:
    judged(export, "botpress")


def nested(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"text": "deep"}
    for _ in range(levels):
        node = {"type": "p", "children": [node]}
    return {"groups": [{"id": "g", "blocks": [{"id": "b", "type": "text", "content": {"richText": [node]}}]}]}


def test_depth_circles_and_size_are_bounded() -> None:
    judged(nested(800), "typebot")
    round_about = [{"id": "a", "type": "Code", "outgoingEdgeId": "e"}]
    judged({"groups": [{"id": "g", "blocks": round_about}], "edges": [{"id": "e", "to": {"groupId": "g"}}]}, "typebot")
    many = [{"id": f"b{index}", "type": "Wait"} for index in range(600)]
    groups = [{"id": "g", "blocks": [{"type": "start", "outgoingEdgeId": "e"}]}, {"id": "h", "blocks": many}]
    with pytest.raises(NotImported, match="600 nodes"):
        imported({"groups": groups, "edges": [{"id": "e", "to": {"groupId": "h"}}]}, "typebot", {}, "x.json")
    with pytest.raises(NotImported, match="2000 blocks"):
        imported({"groups": [{"id": "g", "blocks": many * 4}]}, "typebot", {}, "x.json")
    long = {"id": "b", "type": "text", "content": {"plainText": "x" * (LONGEST + 1)}}
    groups[1] = {"id": "h", "blocks": [long]}
    with pytest.raises(NotImported, match="characters"):
        imported({"groups": groups, "edges": [{"id": "e", "to": {"groupId": "h"}}]}, "typebot", {}, "x.json")


def test_a_report_has_room_for_a_thousand_lines() -> None:
    unknown = "".join(f"{{{{tag {number}}}}}" for number in range(MOST_FINDINGS + 10))
    block = {"id": "b", "type": "text", "content": {"plainText": f"{unknown}{{{{tag 1}}}}."}}
    found = imported({"groups": [{"id": "g", "blocks": [block]}]}, "typebot", {}, "x.json").findings
    assert len(found) == MOST_FINDINGS + 1
    assert found[-1].what == "more than the report has room for"


def test_the_time_grows_with_the_file_and_no_faster() -> None:
    """Each would take minutes, if what is looked at for a part of it were all of it."""
    many: dict[str, Any] = {"edges": [{"id": str(index)} for index in range(50_000)]}
    judged({"groups": [{"id": "g", "blocks": [{"id": "b", "type": "Wait"}]}, *[{}] * 50_000], **many}, "typebot")
    spaces = [{"id": "a", "formData": {"text": "{{" + " " * 50_000}}]
    bot = {"nodes": [{"name": "entry", "onEnter": ["say #!a"]}]}
    assert imported(bot, "botpress", {"content-elements/a.json": spaces}, "x.flow.json").findings


def test_the_command_prints_the_flow_and_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lead = str(EXPORTS / "lead.json")
    assert main(["import", lead, "--from", "typebot"]) == 0
    printed = capsys.readouterr()
    assert parse(printed.out)["slug"] == "workshop-sign-up"
    assert printed.err.splitlines()[0].startswith("block b8: block Code: left out; scripts are not taken over")
    report = tmp_path / "report.txt"
    assert main(["import", lead, "--from", "typebot", "--report", str(report)]) == 0
    assert (capsys.readouterr().err, report.read_text()) == ("", printed.err)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"{", b"[" * 100_000, b" " * (LONGEST_EXPORT + 1), b"\xff"])
def test_a_file_that_is_no_export_is_refused(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    for builder in ("typebot", "botpress"):
        assert main(["import", str(file), "--from", builder]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("switchhook-flow: ")
    assert main(["import", str(tmp_path / "nothing"), "--from", "typebot"]) == 2


def test_a_flow_with_an_error_is_written_and_told_by_the_exit_code(tmp_path: Path) -> None:
    block = {"id": "b", "type": "text", "content": {"plainText": "x"}, "outgoingEdgeId": "e"}
    start = {"type": "start", "outgoingEdgeId": "e"}
    groups = [{"id": "s", "blocks": [start]}, {"id": "g", "blocks": [block]}]
    file = tmp_path / "x.json"
    file.write_bytes(orjson.dumps({"groups": groups, "edges": [{"id": "e", "to": {"groupId": "g"}}]}))
    assert main(["import", str(file), "--from", "typebot"]) == 1
