"""The reference of flow documents: the fields of a document, of each node and of each trigger, with examples of use.

The examples are flows of their own, `examples/nodes/<type>.yaml` and `examples/triggers/<kind>.yaml`: what a field holds there
is its example. A test holds them to the checker, and each field of our own types to an example.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from contracts.described import Described
from devstack.field_tables import Field, fields_of, table, value_at
from devstack.paths import ROOT
from flowlang.language.cases import Case
from flowlang.language.document import parse
from flowlang.language.schema import document_schema, node_types, trigger_kinds

EXAMPLES = ROOT / "examples"
HEAD = ("field", "takes", "else", "meaning", "example")
ABOUT = """
A flow is a YAML or JSON document. [Merge tags and conditions](expressions.md) say what may stand in `{{ … }}` and in `if`.
`POST /v1/flows/check` says what is wrong with a document, `GET /v1/node-types` has this page for programs, and
[flow.schema.json](flow.schema.json) is the JSON Schema for editors. *Else*: what holds where a field is left out.
"""
OF_EACH_NODE = "Each node has these fields beside its own:"
OF_EACH_TRIGGER = (
    "Who writes is taken by the first trigger that wants the message. Each trigger has these fields beside its own:"
)

OF_TESTS = (
    "`tests` is a list of cases, for [`switchhook flow test`](../how-to/test-a-flow.md). They are part of the draft and of no"
    " version: what is published has none. Each has these fields:"
)


def page(note: str) -> str:
    """docs/reference/flow-nodes.md. `note`: where it comes from."""
    nodes, triggers = node_types(), trigger_kinds()
    document = document_schema()
    shared = _shared(nodes)
    shared_by_triggers = _shared(triggers)
    return "".join([
        f"# Flow documents\n{note}{ABOUT}\n## The document\n\n",
        _rows(fields_of(document, leave_out=("nodes", "triggers", "tests")), [whole_example()]),
        f"\n# Nodes\n\n{OF_EACH_NODE}\n\n",
        _rows(_of_all(nodes, shared), _all_nodes()),
        *(_node(each, shared) for each in nodes),
        f"\n# Triggers\n\n{OF_EACH_TRIGGER}\n\n",
        _rows(_of_all(triggers, shared_by_triggers), _all_triggers()),
        *(_trigger(each, shared_by_triggers) for each in triggers),
        f"\n# Test cases\n\n{OF_TESTS}\n\n",
        _rows(fields_of(case_schema()), all_cases()),
    ])  # fmt: skip


def _of_all(types: Sequence[dict[str, Any]], shared: set[str]) -> Iterator[Field]:
    for field in fields_of(types[0]["schema"]):
        if field.path == ("type",):
            yield field._replace(takes=" or ".join(f"`{each['type']}`" for each in types))
        elif field.path[0] in shared:
            yield field


def _node(node: dict[str, Any], shared: set[str]) -> str:
    ports = ", ".join(f"`{port}`" for port in node["ports"]) or "none"
    about = " ".join(node["description"].split()) + (" It waits." if node["waits"] else "") + f" Ports: {ports}."
    return _section("nodes", node, shared, about, examples_of_node(node["type"]))


def _trigger(trigger: dict[str, Any], shared: set[str]) -> str:
    return _section("triggers", trigger, shared, trigger["description"], examples_of_trigger(trigger["type"]))


def _section(folder: str, one: dict[str, Any], shared: set[str], about: str, examples: Sequence[Any]) -> str:
    type, file = one["type"], EXAMPLES / folder / f"{one['type']}.yaml"
    shown = f" In a flow: [{type}.yaml](../../examples/{folder}/{type}.yaml)." if file.exists() else ""
    fields = list(fields_of(one["schema"], leave_out=shared))
    own = f"\n{_rows(fields, examples)}" if fields else ""
    return f"\n## `{type}`\n\n{about}{shown}\n{own}"


def _rows(fields: Iterable[Field], examples: Sequence[Any]) -> str:
    return table(HEAD, (
        (each.shown, each.takes, each.default, each.meaning or "—", shown_example(each, examples)) for each in fields
    ))  # fmt: skip


def shown_example(field: Field, examples: Sequence[Any]) -> str:
    """What the field holds in the first example that uses it; a dash where none does."""
    value = next((found for one in examples if (found := value_at(field, one)) is not None), None)
    if value is None:
        return "—"
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 160 else "…"


def _shared(types: Sequence[dict[str, Any]]) -> set[str]:
    """The fields that all have, `type` among them."""
    return set.intersection(*(set(each["schema"]["properties"]) for each in types))


@cache
def flow_in(path: str) -> dict[str, Any]:
    """An example flow, by its path below `examples`; empty where there is none."""
    file = EXAMPLES / path
    return parse(file.read_text()) if file.exists() else {}


def whole_example() -> dict[str, Any]:
    """A flow that uses all fields of a document."""
    return flow_in("nodes/set.yaml")


def case_schema() -> dict[str, Any]:
    """The JSON Schema of a test case."""
    return Case.model_json_schema(by_alias=True, schema_generator=Described)


def all_cases() -> list[Any]:
    """Test cases that use every field together."""
    return [*flow_in("tests/order.yaml")["tests"], *flow_in("flows/reserve-lecture.yaml")["tests"]]


def examples_of_node(type: str) -> list[Any]:
    """The nodes of that type in its example."""
    return [node for node in flow_in(f"nodes/{type}.yaml").get("nodes", {}).values() if node["type"] == type]


def examples_of_trigger(type: str) -> list[Any]:
    """The triggers of that kind in its example."""
    return [each for each in flow_in(f"triggers/{type}.yaml").get("triggers", ()) if each["type"] == type]


def _all_nodes() -> list[Any]:
    return [one for node in node_types() for one in examples_of_node(node["type"])]


def _all_triggers() -> list[Any]:
    return [one for trigger in trigger_kinds() for one in examples_of_trigger(trigger["type"])]
