"""Flow documents, `flow/1`: their model, and reading them from JSON or YAML."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from contracts.sentences import sentence
from flowlang.building.fields import DocumentModel, Duration, NodeId
from flowlang.language import yaml_text
from flowlang.language.cases import MOST_CASES, Case
from flowlang.nodes.base import NodeModel
from flowlang.nodes.registry import NODE_TYPES
from flowlang.problems import FlowInvalid, Problem, pointer
from flowlang.triggers.base import TriggerModel
from flowlang.triggers.registry import TRIGGER_KINDS

SCHEMA = "flow/1"
DEFAULT_TTL = "P2D"
MOST_NODES = 500
MOST_TRIGGERS = 200

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=64)]


if TYPE_CHECKING:
    AnyNode = NodeModel
    AnyTrigger = TriggerModel
else:  # One of those that are installed, told apart by `type`.
    AnyNode = Annotated[reduce(or_, NODE_TYPES.values()), Field(discriminator="type")]
    AnyTrigger = Annotated[reduce(or_, TRIGGER_KINDS.values()), Field(discriminator="type")]


class Variable(DocumentModel):
    """A variable that the flow reads or writes: `user` ones stay with the person, `memory` ones with the session."""

    type: Literal["string", "integer", "number", "boolean", "object", "array"] = "string"
    """What it holds."""
    scope: Literal["user", "memory"] = "memory"
    """Whether it stays with the person or with the session."""
    description: str | None = None
    """For who edits the flow."""


class Outline(DocumentModel):
    """A scenario without its nodes."""

    schema_: Literal["flow/1"] = Field(alias="schema")
    """The version of this format."""
    slug: Slug
    """The flow's name in the API, one of its bot's."""
    name: str = Field(min_length=1, max_length=200)
    """What people call it."""
    description: str | None = Field(default=None, max_length=2000)
    """For who edits the flow."""
    start: NodeId
    """The node where a start by the API or a jump enters, unless it names an entry."""
    session_ttl: Duration = DEFAULT_TTL
    """After so long a session ends, wherever it waits."""
    on_error: NodeId | None = None
    """The node to go to when a node fails whose `error` port leads nowhere."""
    strict: bool = False
    """Whether a merge tag whose value is missing is an error; else it gives an empty text."""
    variables: dict[str, Variable] = Field(default_factory=dict, max_length=200)
    """The variables that it reads and writes, by name. The checker warns of others, and of conditions that take them for another
    type."""
    triggers: tuple[AnyTrigger, ...] = Field(default=(), max_length=MOST_TRIGGERS)
    """The ways into the flow; the fields of each kind are below."""


class Document(Outline):
    """A scenario. `start` is where broadcasts, API starts and jumps enter, unless they name an entry."""

    nodes: dict[NodeId, AnyNode] = Field(min_length=1, max_length=MOST_NODES)
    """The nodes by their names; the fields of each type are below."""
    tests: tuple[Case, ...] = Field(default=(), max_length=MOST_CASES)
    """Its test cases; they are no part of what is published. Their fields are below."""


def as_published(raw: dict[str, Any]) -> dict[str, Any]:
    """A document as a version carries it: without its test cases."""
    return {name: value for name, value in raw.items() if name != "tests"}


Loaded = TypeVar("Loaded", bound=Outline)


def parse(text: str) -> dict[str, Any]:
    """The document in a JSON or YAML text, not yet validated. Raises FlowInvalid when it is neither."""
    try:
        found = yaml_text.parse(text)
    except ValueError as error:
        raise FlowInvalid([Problem("", "error", "syntax", str(error))]) from error
    if not isinstance(found, dict):
        raise FlowInvalid([Problem("", "error", "syntax", "a flow document is an object")])
    return found


def load(raw: Any) -> Document:
    """The document that JSON data stands for. Raises FlowInvalid with a pointer for each thing that is wrong."""
    return _loaded(Document, raw)


def outline(raw: Any) -> Outline:
    """A document without its nodes. Raises FlowInvalid with a pointer for each thing that is wrong."""
    return _loaded(Outline, raw)


def _loaded(model: type[Loaded], raw: Any) -> Loaded:
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        message = f"write `schema: {SCHEMA}`: this is not such a document"
        raise FlowInvalid([Problem("/schema", "error", "schema", message)])
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise FlowInvalid([_problem(raw, found) for found in _causes(error)]) from error


def _causes(error: ValidationError) -> list[Any]:
    """Its errors without those that only follow from another one (a list is "too short" when an item of it is wrong)."""
    found = error.errors(include_url=False)
    inner = {one["loc"][:depth] for one in found for depth in range(1, len(one["loc"]))}
    return [one for one in found if one["type"] != "too_short" or one["loc"] not in inner]


def _problem(raw: Any, found: Any) -> Problem:
    code = "unknown-field" if found["type"] == "extra_forbidden" else found["type"].replace("_", "-")
    return Problem(_place(raw, found["loc"]), "error", code, sentence(found))


def _place(raw: Any, location: tuple[int | str, ...]) -> str:
    """The pointer of a validation error: its location names union members too, which the document does not have."""
    path: list[int | str] = []
    for index, part in enumerate(location):
        inside = isinstance(raw, dict) and part in raw
        inside = inside or (isinstance(raw, list) and isinstance(part, int) and part < len(raw))
        if inside:
            path.append(part)
            raw = raw[part]
        elif index == len(location) - 1 and isinstance(raw, dict) and part != raw.get("type") and part != "[key]":
            path.append(part)
    return pointer(*path)
