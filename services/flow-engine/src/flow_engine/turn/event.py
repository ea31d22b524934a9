"""An inbound record on its way through a turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from contracts.cloudevents import rfc3339_ms
from contracts.ids import NOBODY
from contracts.people import Identifier
from flow_engine.catalogue.port import Surroundings
from flow_engine.state.ids import as_uuid
from flow_engine.state.work import LoadedConversation
from flowlang.model import Contact, Conversation, Effect
from servicekit.kafka.records import Record
from servicekit.registry_view.stamps import Stamp

OF_AGENT = "agent:"
"""An agent's own key is `<project>/-/agent:<id>`."""


@dataclass(slots=True)
class Arrived:
    """One decoded inbound record. `person_keyed`: its conversation is still to be found."""

    record: Record
    event_id: str
    key: str
    body: Any
    person_keyed: bool
    stamp: Stamp
    traceparent: str | None


class Certain(NamedTuple):
    """What holds of an event even if its flow fails: the engine has done it before the interpreter stepped."""

    conversation: Conversation
    contact: Contact
    effects: list[Effect]


class InboundEvent:
    """One record on its way through a turn. `mark` stands for its id among those that the conversation has seen."""

    __slots__ = (
        "around",
        "arrived",
        "body",
        "certain",
        "contact",
        "history",
        "id",
        "is_of_agent",
        "is_of_contact",
        "kind",
        "loaded",
        "mark",
        "now",
        "reachable_before",
        "uuid",
        "verified",
    )  # fmt: skip

    def __init__(
        self, arrived: Arrived, loaded: LoadedConversation, contact: Contact, around: Surroundings, mark: bytes
    ) -> None:
        self.arrived, self.loaded, self.contact, self.around, self.mark = arrived, loaded, contact, around, mark
        self.body: Any = arrived.body
        self.id: str = arrived.event_id
        self.kind: str = arrived.body.kind
        self.uuid = as_uuid(arrived.event_id)
        self.certain = Certain(loaded.conversation, contact, [])
        self.history: list[dict[str, str]] = []
        """What was said in the conversation, where the event is about that: {role, text}, the oldest first."""
        self.verified: list[tuple[Identifier, str]] = []
        """What identifies the person from now on."""
        self.reachable_before = loaded.conversation.reachable
        self.is_of_contact = self.kind == "contact_update" and loaded.conversation.channel_id == NOBODY
        """Whether it changes or makes a contact itself, under a key that is no conversation's."""
        self.is_of_agent = self.kind == "agent_presence" or (
            loaded.conversation.channel_id == NOBODY and loaded.conversation.peer_id.startswith(OF_AGENT)
        )
        """Whether it is about an agent itself, under a key that is no conversation's."""
        self.now = max(rfc3339_ms(arrived.record.timestamp), loaded.conversation.last_at or "")

    def has_done(self, effects: list[Effect]) -> list[Effect]:
        """The engine has changed the conversation and `contact`, with these effects: that holds even if a flow fails."""
        self.certain = Certain(self.loaded.conversation, self.contact, list(effects))
        return effects

    @property
    def is_url(self) -> bool:
        return self.kind == "url"


class Before(NamedTuple):
    """What is kept of a conversation, and of the person, as they were before a turn."""

    version: int
    next_seq: int
    contact: Contact
