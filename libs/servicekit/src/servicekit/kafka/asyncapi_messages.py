"""The messages of the AsyncAPI document: of each topic its kinds of records, with their headers and the schema of the value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from contracts import events, findings, registry
from contracts.cloudevents import TYPE_PREFIX
from contracts.described import Described
from contracts.event_types import EVENTS, EventKind
from contracts.headers import Header
from contracts.topic import Topic

Schema = dict[str, Any]
REF = "#/components/schemas/{model}"
MOMENT = "2026-11-21T00:01:00.000Z"


class Kind(NamedTuple):
    """One kind of record of a topic. `model`: of its value, None where that is of any kind."""

    name: str
    what: str
    model: type[BaseModel] | None
    event: EventKind | None = None


def messages_of(topic: Topic) -> list[Kind]:
    """The kinds of records that the topic has."""
    if topic.record is events.TOPIC.record or topic is findings.TOPIC:
        names = findings.TYPES if topic is findings.TOPIC else [name for name, kind in EVENTS.items() if kind.offered]
        return [Kind(name, EVENTS[name].what, EVENTS[name].data, EVENTS[name]) for name in names]
    if topic is registry.TOPIC:
        return [_kind("entity", registry.EntityRecord), _kind("snapshot", registry.Snapshot)]
    if topic.record is Any:
        return [Kind("dead-letter", topic.title, None)]
    models = get_args(get_args(topic.record)[0]) if get_args(topic.record) else (topic.record,)
    return [_kind(model.model_fields["kind"].default, model) for model in models]


def _kind(name: str, model: type[BaseModel]) -> Kind:
    return Kind(name, (model.__doc__ or "").strip(), model)


def message(topic: Topic, kind: Kind, example: Any = None) -> Schema:
    """The message. `example`: a value of that kind."""
    made: Schema = {
        "name": kind.name,
        "title": kind.name,
        "summary": kind.what,
        "contentType": "application/json",
        "payload": _payload(kind),
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.4.0"}},
    }
    if topic.headers:
        made["headers"] = _headers_of(topic, kind)
    if kind.event is not None:
        example = {"type": kind.name, "timestamp": MOMENT, "data": dict(kind.event.sample)}
    if example is not None:
        made["examples"] = [{"name": kind.name, "payload": example}]
    return made


def _payload(kind: Kind) -> Schema:
    if kind.model is None:
        return {"description": "The value of the record that could not be processed, as it was"}
    held = {"$ref": REF.format(model=kind.model.__name__)}
    if kind.event is None:
        return held
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": kind.name},
            "timestamp": {"type": "string", "format": "date-time", "description": "When, RFC 3339 UTC"},
            "data": held,
        },
    }


def _headers_of(topic: Topic, kind: Kind) -> Schema:
    shared = {"$ref": REF.format(model=_name_of_headers(topic))}
    if topic.family is None:
        return {"type": "object", "allOf": [shared]}
    type = TYPE_PREFIX + (f"{topic.family}.{kind.name}" if topic.family else kind.name)
    return {"type": "object", "allOf": [shared], "properties": {"ce_type": {"const": type}}}


def _name_of_headers(topic: Topic) -> str:
    return f"{topic.name}:Headers"


def payload_schemas(topics: Iterable[Topic]) -> Schema:
    """The models of all values, by name."""
    models = [kind.model for topic in topics for kind in messages_of(topic) if kind.model is not None]
    _, definitions = models_json_schema(
        [(model, "serialization") for model in dict.fromkeys(models)], ref_template=REF, schema_generator=Described
    )
    found: Schema = definitions["$defs"]
    return found


def header_schemas(topics: Iterable[Topic]) -> Schema:
    """What each topic's records have for headers; others may stand beside them."""
    return {
        _name_of_headers(topic): {
            "type": "object",
            "required": [each.name for each in topic.headers if each.needed],
            "properties": {each.name: dict(_header(each)) for each in topic.headers},
        }
        for topic in topics
        if topic.headers
    }


def _header(header: Header) -> Mapping[str, Any]:
    described: Schema = {"type": "string", "description": header.what, "examples": [header.example]}
    return described | ({"pattern": header.pattern} if header.pattern else {})
