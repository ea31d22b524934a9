"""The JSON Schema agrees with the models, and every node type is described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flowlang.language.document import parse
from flowlang.language.schema import document_schema, node_types
from flowlang.nodes.registry import NODE_TYPES

EXAMPLES = Path(__file__).parents[4] / "examples" / "flows"


def test_an_example_follows_the_schema() -> None:
    schema = document_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(parse((EXAMPLES / "reserve-lecture.yaml").read_text()), schema)


def test_an_unknown_field_breaks_it(story: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(story({"a": {"type": "end", "bogus": 1}}), document_schema())


def test_every_node_type_is_described() -> None:
    described = {node["type"]: node for node in node_types()}
    assert described.keys() == NODE_TYPES.keys()
    for name, node in described.items():
        assert node["description"]
        assert node["schema"]["properties"]["type"]["const"] == name
