"""The examples of flows: each is published as it stands, and the reference has an example of each field of our own types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstack.field_tables import fields_of
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

FLOWS = sorted(EXAMPLES.rglob("*.yaml"))
KNOWN = KnownNames(
    flows=frozenset(["welcome", "node-return"]),
    api_calls=frozenset(["seats-left", "shipping", "rates"]),
    secrets={"crm": ()},
)
SHARED_NODE_FIELDS = {"type", "ports", "push_profile", "report"}
SHARED_TRIGGER_FIELDS = {"type", "id", "to", "when"}


@pytest.mark.parametrize("file", FLOWS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_an_example_has_nothing_that_the_checker_minds(file: Path) -> None:
    assert [(each.pointer, each.message) for each in check(load(parse(file.read_text())), KNOWN)] == []


@pytest.mark.parametrize("node", node_types(), ids=lambda node: node["type"])
def test_each_field_of_a_node_has_a_meaning_and_an_example(node: dict[str, Any]) -> None:
    _complete(node["schema"], SHARED_NODE_FIELDS, examples_of_node(node["type"]))


@pytest.mark.parametrize("trigger", trigger_kinds(), ids=lambda trigger: trigger["type"])
def test_each_field_of_a_trigger_has_a_meaning_and_an_example(trigger: dict[str, Any]) -> None:
    _complete(trigger["schema"], SHARED_TRIGGER_FIELDS, examples_of_trigger(trigger["type"]))


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
