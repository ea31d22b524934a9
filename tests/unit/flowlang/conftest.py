"""Conversations with flows: see support.dialogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowlang.graph import Graph
from support.dialogue import Dialogue, compiled, document


@pytest.fixture
def talk() -> Callable[..., Dialogue]:
    """`talk(nodes, triggers, **document fields)`: a conversation of a person who has talked to the bot."""

    def make(nodes: dict[str, Any], triggers: list[dict[str, Any]] | None = None, **fields: Any) -> Dialogue:
        options = {name: fields.pop(name) for name in ("talked", "nobody") if name in fields}
        return Dialogue(document(nodes, triggers, **fields), **options)

    return make


@pytest.fixture
def talk_of() -> Callable[..., Dialogue]:
    """`talk_of(*documents)`: a bot of several flows."""
    return Dialogue


@pytest.fixture
def story() -> Callable[..., dict[str, Any]]:
    """`story(nodes, triggers, **fields)`: a document."""
    return document


@pytest.fixture
def compile_story() -> Callable[..., Graph]:
    """`compile_story(document, flow_id, version)`: its graph."""
    return compiled
