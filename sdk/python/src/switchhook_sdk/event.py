"""A record of `switchhook.events.v1` as a handler gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from aiokafka import ConsumerRecord
from pydantic import ValidationError
from pydantic_core import from_json

from contracts import cloudevents
from contracts.event_data import EventData
from contracts.event_types import EVENTS, EventKind
from contracts.sentences import reason

Data = TypeVar("Data", bound=EventData, covariant=True)
Headers = Mapping[str, bytes | None]


class Unreadable(Exception):
    """A record that is no event of a type that this release knows. The message says why, and holds nothing of its content."""


class UnknownType(Unreadable):
    """Its type came with a later release, or is nobody's."""


@dataclass(frozen=True, slots=True)
class CloudEvent(Generic[Data]):
    """What happened. `data` is the model of the type (contracts.event_data).

    `id`: a repeat has the same. `type`: without the prefix, `message.received`. `source`: the service that tells it.
    `project`: the id of whose it is. `subject`: the record's key, where it says what the event is about.
    """

    id: str
    type: str
    time: datetime
    source: str
    project: str
    data: Data
    subject: str | None = None

    @property
    def bot(self) -> str | None:
        """The id of the bot that it is about."""
        return self.data.bot.id if self.data.bot else None

    @property
    def conversation(self) -> str | None:
        """The id of the conversation that it happened in."""
        return self.data.conversation_id


def headers_of(record: ConsumerRecord[Any, Any]) -> Headers:
    """By name; of several of one name the last."""
    return dict(record.headers)


def text(headers: Headers, name: str) -> str:
    """A header that each event has. Raises Unreadable."""
    value = headers.get(name)
    if value is None:
        raise Unreadable(f"the header {name} is missing")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Unreadable(f"the header {name} is not UTF-8") from None


def kind_of(headers: Headers) -> EventKind:
    """The row of the record's type. Raises Unreadable, UnknownType for a type that has none."""
    type = text(headers, "ce_type")
    kind = EVENTS.get(type.removeprefix(cloudevents.TYPE_PREFIX))
    if kind is None or not type.startswith(cloudevents.TYPE_PREFIX):
        raise UnknownType(f"this release of switchhook-sdk does not know the type {type[:100]!r}")
    return kind


def read(record: ConsumerRecord[Any, Any], headers: Headers, kind: EventKind) -> CloudEvent[Any]:
    """The event. Raises Unreadable."""
    try:
        value = from_json(record.value or b"")
        data = kind.data.model_validate(value["data"] if isinstance(value, dict) else None)
        moment = datetime.fromisoformat(text(headers, "ce_time"))
    except ValidationError as error:
        raise Unreadable(f"the data of {kind.name} is not as contracts has it: {reason(error)[:300]}") from None
    except (ValueError, KeyError) as error:
        raise Unreadable(f"it is no event: {type(error).__name__}") from None
    return CloudEvent(
        id=text(headers, "ce_id"),
        type=kind.name,
        time=moment,
        source=text(headers, "ce_source"),
        project=text(headers, cloudevents.PROJECT),
        data=data,
        subject=text(headers, "ce_subject") if headers.get("ce_subject") else None,
    )
