"""`switchhook.commands.v1`: what other programs want done. Any key, any partitioner.

Header `authorization: Bearer <token>` and the CloudEvents headers; `ce_id` is the idempotency key. Ingress checks token,
scope, schema, ownership and size as it does over HTTP; the outcome is the event command.accepted or command.rejected.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from contracts.contact_fields import Labels, ProfileFields
from contracts.headers import HOPS, ID, TRACE, Header
from contracts.model import Model
from contracts.people import NamedPerson, Profile, ProfileField
from contracts.topic import Topic


class CommandBase(Model):
    """Commands come from outside, so an unknown field is refused by name rather than ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bot: str


class CommandForPerson(CommandBase):
    """It is about somebody whom the bot knows, or may get to know."""

    person: NamedPerson


class Start(CommandForPerson):
    """Start a flow (scope flows:execute). `flow` is its id or slug, `entry` the id of one of its webhook triggers."""

    kind: Literal["start"] = "start"
    flow: str
    entry: str | None = None
    variables: dict[str, Any] = Field(default_factory=dict)


class Say(CommandForPerson):
    """Submit a person's message (scope bots:converse; the bot's own http channel only)."""

    kind: Literal["say"] = "say"
    text: str = Field(max_length=16_384)


class CreateContact(CommandBase):
    """Make a contact, who need not have written to the bot (scope data:write). An `external_id` is one contact's."""

    kind: Literal["contact_create"] = "contact_create"
    profile: ProfileFields = ProfileFields()
    variables: dict[str, Any] = Field(default_factory=dict)
    tags: Labels = ()
    flags: Labels = ()


class UpdateContact(CommandForPerson):
    """Change a contact (scope data:write). `clear` names fields of the profile; a variable of null is cleared."""

    kind: Literal["contact_update"] = "contact_update"
    profile: Profile = Profile()
    variables: dict[str, Any] = Field(default_factory=dict)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    add_flags: tuple[str, ...] = ()
    remove_flags: tuple[str, ...] = ()
    clear: tuple[ProfileField, ...] = ()


class MergeContacts(CommandForPerson):
    """Make another contact this one, which gets what only the other had (scope data:write). `contact`: the other one's id."""

    kind: Literal["contact_merge"] = "contact_merge"
    contact: UUID


class SendSignal(CommandForPerson):
    """Resume a wait_event step (scope flows:execute)."""

    kind: Literal["signal"] = "signal"
    name: str
    data: dict[str, Any] = Field(default_factory=dict)


Command = Annotated[
    Start | Say | CreateContact | UpdateContact | MergeContacts | SendSignal, Field(discriminator="kind")
]

HEADERS = (
    Header("authorization", "A token of the project", "Bearer swh_…", pattern="^Bearer "),
    replace(
        ID,
        what="The idempotency key, 1 to 255 characters; another command under a used one is refused",
        example="order-17",
    ),
    Header("ce_specversion", "The version of CloudEvents; not read", "1.0", needed=False),
    Header(
        "ce_type", "Your own name for it; not read: the value's `kind` says what it is", "shop.order.paid", needed=False
    ),
    Header("ce_source", "Who writes it; not read", "shop", needed=False),
    Header("ce_time", "When, RFC 3339; not read", "2026-11-21T00:01:00Z", needed=False),
    Header("content-type", "What the value is; not read", "application/json", needed=False),
    TRACE,
    HOPS,
)

TOPIC = Topic(
    name="switchhook.commands.v1",
    title="What other programs want done",
    key="any",
    partitions=6,
    record=Command,
    producers=("integrators",),
    consumers=("ingress",),
    headers=HEADERS,
)
