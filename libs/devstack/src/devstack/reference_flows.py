"""The reference of flow documents: the fields of a document, of each node and of each trigger, with examples of use.

The examples are flows of their own, `examples/nodes/<type>.yaml` and `examples/triggers/<kind>.yaml`: what a field holds there
is its example. A test holds them to the checker, and each field of our own types to an example.
"""

from __future__ import annotations

import json
import re
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
LINK = re.compile(r"\]\((?!https?:)")
"""To another page: docstrings name it as it is found from docs/reference."""
HEAD = ("field", "takes", "else", "meaning", "example")
ABOUT = """
A flow is a YAML or JSON document. [Merge tags and conditions](expressions.md) say what may stand in `{{ … }}` and in `if`.
`POST /v1/flows/check` says what is wrong with a document, `GET /v1/node-types` has these pages for programs, and
[flow.schema.json](flow.schema.json) is the JSON Schema for editors. *Else*: what holds where a field is left out.
"""
OF_EACH_NODE = (
    "Each node has a page with its fields and a whole flow in which it stands. It has these fields beside its own:"
)
OF_EACH_TRIGGER = "Who writes is taken by the first trigger that wants the message ([in which order](turns.md)). Each trigger has a page, and these fields beside its own:"

OF_TESTS = (
    "`tests` is a list of cases, for [`switchhook flow test`](../how-to/test-a-flow.md). They are part of the draft and of no"
    " version: what is published has none. Each has these fields:"
)


def pages(note: str) -> dict[str, str]:
    """File name -> text: flow-nodes.md, and a page for each node and each trigger. `note`: where it comes from."""
    nodes, triggers = node_types(), trigger_kinds()
    return {
        "flow-nodes.md": _overview(note, nodes, triggers),
        **{f"nodes/{each['type']}.md": _node(note, each, _shared(nodes)) for each in nodes},
        **{f"triggers/{each['type']}.md": _trigger(note, each, _shared(triggers)) for each in triggers},
    }


def _overview(note: str, nodes: Sequence[dict[str, Any]], triggers: Sequence[dict[str, Any]]) -> str:
    return "".join([
        f"# Flow documents\n{note}{ABOUT}\n## The document\n\n",
        _rows(fields_of(document_schema(), leave_out=("nodes", "triggers", "tests")), [whole_example()]),
        f"\n## Nodes\n\n{_list('nodes', nodes)}\n{OF_EACH_NODE}\n\n",
        _rows(_of_all(nodes, _shared(nodes)), _all_nodes()),
        f"\n## Triggers\n\n{_list('triggers', triggers)}\n{OF_EACH_TRIGGER}\n\n",
        _rows(_of_all(triggers, _shared(triggers)), _all_triggers()),
        f"\n## Test cases\n\n{OF_TESTS}\n\n",
        _rows(fields_of(case_schema()), all_cases()),
    ])  # fmt: skip


def _list(folder: str, types: Sequence[dict[str, Any]]) -> str:
    rows = ((f"[`{each['type']}`]({folder}/{each['type']}.md)", _first_sentence(_about(each))) for each in types)
    return table(("type", "what it does"), rows)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".") + "."


def _about(one: dict[str, Any]) -> str:
    return " ".join(one["description"].split())


def _of_all(types: Sequence[dict[str, Any]], shared: set[str]) -> Iterator[Field]:
    for field in fields_of(types[0]["schema"]):
        if field.path == ("type",):
            yield field._replace(takes=" or ".join(f"`{each['type']}`" for each in types))
        elif field.path[0] in shared:
            yield field


def _node(note: str, node: dict[str, Any], shared: set[str]) -> str:
    ports = ", ".join(f"`{port}`" for port in node["ports"]) or "none"
    about = _about(node) + (" It waits." if node["waits"] else "") + f" Ports: {ports}."
    return _page(note, "nodes", node, shared, about, examples_of_node(node["type"]))


def _trigger(note: str, trigger: dict[str, Any], shared: set[str]) -> str:
    return _page(note, "triggers", trigger, shared, _about(trigger), examples_of_trigger(trigger["type"]))


def _page(note: str, folder: str, one: dict[str, Any], shared: set[str], about: str, examples: Sequence[Any]) -> str:
    type, what = one["type"], folder.removesuffix("s")
    fields = list(fields_of(one["schema"], leave_out=shared))
    others = f"[the fields that each {what} has](flow-nodes.md#{folder})"
    own = f"{_rows(fields, examples)}\nBeside these it has {others}.\n" if fields else f"It has {others}.\n"
    told = LINK.sub("](../", f"{about}\n\n{own}")
    return f"# The {what} `{type}`\n{note}\n{told}{_in_a_flow(folder, type)}"


def _in_a_flow(folder: str, type: str) -> str:
    """Its example as it stands; nothing for a type of another package."""
    file = EXAMPLES / folder / f"{type}.yaml"
    if not file.exists():
        return ""
    link = f"[examples/{folder}/{type}.yaml](../../../examples/{folder}/{type}.yaml)"
    return f"\n## In a flow\n\n{link}:\n\n```yaml\n{file.read_text()}```\n"


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
