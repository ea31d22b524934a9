"""The examples of flows: each is published as it stands, its test cases hold, and the reference has an example of each field of our own types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstack.field_tables import fields_of
from devstack.reference_docs import FOLDER as REFERENCE
from devstack.reference_flows import (
    EXAMPLES,
    all_cases,
    case_schema,
    examples_of_node,
    examples_of_trigger,
    shown_example,
    whole_example,
)
from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from flowlang.language.document import load, parse
from flowlang.language.schema import document_schema, node_types, trigger_kinds
from flowtools.cli import main

FLOWS = sorted(EXAMPLES.rglob("*.yaml"))
SHOWN = sorted(file for folder in ("nodes", "triggers") for file in (EXAMPLES / folder).glob("*.yaml"))
BESIDE = {"nodes/call": "nodes/return.yaml", "nodes/jump": "flows/welcome.yaml"}
"""The other flow of the bot to which an example leads."""
SCENARIOS = sorted((EXAMPLES / "scenarios").glob("*.yaml"))
KNOWN = KnownNames(
    flows=frozenset(["welcome", "node-return"]),
    api_calls=frozenset(["seats-left", "shipping", "rates", "stock", "main"]),
    secrets={"crm": (), "payments": (), "shop": ()},
)
SHARED_NODE_FIELDS = {"type", "ports", "push_profile", "report"}
SHARED_TRIGGER_FIELDS = {"type", "id", "to", "when"}


def shown_id(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("file", FLOWS, ids=shown_id)
def test_an_example_has_nothing_that_the_checker_minds(file: Path) -> None:
    assert [(each.pointer, each.message) for each in check(load(parse(file.read_text())), KNOWN)] == []


@pytest.mark.parametrize("file", [file for file in FLOWS if parse(file.read_text()).get("tests")], ids=shown_id)
def test_the_cases_of_an_example_hold(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = BESIDE.get(shown_id(file))
    beside = ["--beside", str(EXAMPLES / other)] if other else []
    assert main(["test", str(file), *beside]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("file", SHOWN, ids=shown_id)
def test_what_a_page_shows_is_proven_by_a_case(file: Path) -> None:
    assert parse(file.read_text()).get("tests")


@pytest.mark.parametrize("file", SCENARIOS, ids=shown_id)
def test_a_scenario_has_cases_and_a_row_in_the_list(file: Path) -> None:
    assert len(parse(file.read_text())["tests"]) >= 2
    assert f"({file.relative_to(EXAMPLES)})" in (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("node", node_types(), ids=lambda node: node["type"])
def test_each_field_of_a_node_has_a_meaning_and_an_example(node: dict[str, Any]) -> None:
    _complete(node["schema"], SHARED_NODE_FIELDS, examples_of_node(node["type"]))


@pytest.mark.parametrize("trigger", trigger_kinds(), ids=lambda trigger: trigger["type"])
def test_each_field_of_a_trigger_has_a_meaning_and_an_example(trigger: dict[str, Any]) -> None:
    _complete(trigger["schema"], SHARED_TRIGGER_FIELDS, examples_of_trigger(trigger["type"]))


@pytest.mark.parametrize(("folder", "types"), [("nodes", node_types()), ("triggers", trigger_kinds())])
def test_each_node_and_trigger_has_a_page_with_a_flow_in_which_it_stands(
    folder: str, types: list[dict[str, Any]]
) -> None:
    named = sorted(each["type"] for each in types)
    assert sorted(file.stem for file in (REFERENCE / folder).iterdir()) == named
    found = examples_of_node if folder == "nodes" else examples_of_trigger
    assert [name for name in named if not found(name)] == []


def test_what_all_nodes_and_triggers_have_and_the_document_itself_have_them_too() -> None:
    nodes = [one for node in node_types() for one in examples_of_node(node["type"])]
    triggers = [one for trigger in trigger_kinds() for one in examples_of_trigger(trigger["type"])]
    own = set(node_types()[0]["schema"]["properties"]) - SHARED_NODE_FIELDS
    _complete(node_types()[0]["schema"], own, nodes)
    own = set(trigger_kinds()[0]["schema"]["properties"]) - SHARED_TRIGGER_FIELDS
    _complete(trigger_kinds()[0]["schema"], own, triggers)
    _complete(document_schema(), {"nodes", "triggers", "tests"}, [whole_example()])
    _complete(case_schema(), set(), all_cases())


def _complete(schema: dict[str, Any], leave_out: set[str], examples: list[Any]) -> None:
    fields = list(fields_of(schema, leave_out=leave_out))
    assert [each.shown for each in fields if not each.meaning] == []
    assert [each.shown for each in fields if shown_example(each, examples) == "—"] == []
