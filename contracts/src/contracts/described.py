"""JSON Schemas in which the docstrings of fields are their descriptions.

pydantic can do that when a class is made, which costs each process a tenth of a second; this does it when a schema is asked
for. The docstring of a field is the text that stands under it.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema


class Described(GenerateJsonSchema):
    """For `schema_generator` of pydantic's functions."""

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        made = super().model_schema(schema)
        model, properties = schema["cls"], made.get("properties", {})
        for name, text in texts_of(model).items():
            field = model.model_fields.get(name)
            shown = properties.get((field.alias if field is not None else None) or name)
            if shown is not None:
                shown.setdefault("description", text)
        return made


def texts_of(model: type[BaseModel]) -> dict[str, str]:
    """Field -> its docstring, those of the classes that it inherits from included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _texts_in(base.__module__).get(base.__name__, {})
    return found


@cache
def _texts_in(module: str) -> dict[str, dict[str, str]]:
    """Class -> field -> docstring, of the classes at the top of a module."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError):  # Made by a program, or installed without its source.
        return {}
    return {node.name: dict(_texts(node.body)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _texts(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, after in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            text = after.value.value if isinstance(after.value, ast.Constant) else None
            if isinstance(text, str):
                yield field.target.id, " ".join(text.split())
