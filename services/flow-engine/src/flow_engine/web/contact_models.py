"""The shapes of contacts and chat lines in the engine's OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.people import Profile


class ContactChannel(BaseModel):
    """One of the places where a contact talks to the bot."""

    channel_id: str
    peer_id: str
    """The id that the channel has of the person."""
    state: Literal["active", "blocked", "unsubscribed", "unreachable"]
    """Whether the bot may write there. `unreachable`: the person never wrote, or the platform does not deliver."""
    last_user_message_at: str | None
    """When the person last wrote there, RFC 3339 UTC."""
    window_until: str | None
    """Until when the bot may write, on platforms that let it only for some time after the person's last message."""


class Contact(Profile):
    """A person as one bot knows them. Of the profile null is what is not known."""

    id: str
    """The contact's id."""
    bot_id: str
    variables: dict[str, Any] = Field(default_factory=dict)
    """What flows and programs keep of the person."""
    tags: list[str] = Field(default_factory=list)
    """Labels for people to sort by."""
    flags: list[str] = Field(default_factory=list)
    """Labels for other systems."""
    webhook_titles: list[str] = Field(default_factory=list)
    """Of the webhooks of flows about them that were received, 200 at most."""
    channels: list[ContactChannel]
    """Where they talk to the bot, the last used first, 50 at most."""
    created_at: str
    last_seen_at: str | None
    """When the person last wrote, RFC 3339 UTC."""


class Contacts(BaseModel):
    """One page."""

    items: list[Contact]
    """With several filters, or a segment, a page may hold fewer than `limit`, or none, and have a `next`."""
    next: str | None
    evaluated: Literal["query", "walk"] | None = None
    """Of a segment: whether the database looks for its members, or its filter is asked of one contact after the other."""


class ContactCount(BaseModel):
    """How many there are."""

    count: int
    is_exact: bool
    """Whether these are all; else there are more."""
    evaluated: Literal["query", "walk"] | None = None
    """Of a segment: how its members were found."""


class ChatLine(BaseModel):
    """What somebody said."""

    id: str
    conversation_id: str
    contact_id: str | None
    """The contact, by its id."""
    channel_id: str | None
    peer_id: str | None
    """The id that the channel has of the person."""
    sender: Literal["person", "bot", "agent", "note"]
    """Who said it; a note is an agent's, which the person does not see."""
    at: str
    content: dict[str, Any]


class ChatLog(BaseModel):
    """One page."""

    items: list[ChatLine]
    next: str | None


class Accepted(BaseModel):
    """A write that is in Kafka. `GET /v1/events/{event_id}` tells what became of it."""

    event_id: str
    status: Literal["accepted"]
