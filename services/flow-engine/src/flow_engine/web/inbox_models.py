"""The shapes of conversations as agents see them, and what they send."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.inbound import AgentRef
from contracts.replies import ChatMessage
from contracts.web_url import WebUrl
from flow_engine.web.contact_models import ChatLine

LONGEST_TEXT = 16_384
LongText = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]


class Body(BaseModel):
    """What it does not know, it refuses by name."""

    model_config = ConfigDict(extra="forbid")


class Assign(Body):
    """Who is to have the conversation."""

    agent: str
    """The agent, by its id."""


class Release(Body):
    """To whom it is given back."""

    to: Literal["bot", "queue"] = "bot"
    """`bot`: the bot answers again; `queue`: another agent is waited for."""


class NewMedia(Body):
    """A file that an agent sends."""

    type: Literal["image", "video", "audio", "file"]
    """What it is shown as."""
    url: WebUrl
    """Where it is fetched from."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """What it is called where it cannot be shown."""


class NewLocation(Body):
    """A place that an agent sends."""

    latitude: float = Field(ge=-90, le=90)
    """Degrees north."""
    longitude: float = Field(ge=-180, le=180)
    """Degrees east."""
    name: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """What is there."""
    address: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """Where that is, in words."""


class NewMessage(Body):
    """What the agent says to the person."""

    text: LongText | None = None
    """The text; in several messages where the channel takes less in one. It may be left out beside a file or a place."""
    media: NewMedia | None = None
    """A picture, video, recording or other file by its URL, which the channel's platform, or the page, fetches. What a channel cannot show
    is said in words."""
    location: NewLocation | None = None
    """A place; not beside `media`."""
    client_message_id: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    """Your own name for it: sent again under the same one, it is not said twice."""

    @model_validator(mode="after")
    def _has_something(self) -> Self:
        if self.media and self.location:
            raise ValueError("a message has a file or a place, not both: send two")
        if not (self.text or self.media or self.location):
            raise ValueError("text is needed: 1 to 16384 characters, or a file or place")
        return self


class NewNote(Body):
    """What agents tell each other about the person."""

    text: LongText
    """The text; the person never sees it."""


class Presence(Body):
    """Whether the agent is there."""

    state: Literal["online", "away", "offline"]
    """`online` and `away` hold for two minutes: say it again before they are over."""


class Conversation(BaseModel):
    """One person, or group, on one channel of a bot, and who answers."""

    id: str
    bot_id: str
    channel_id: str
    channel_type: str
    """`telegram`, `webchat`, `http`, …"""
    peer_id: str
    """The id that the channel has of the person."""
    contact_id: str | None
    """The contact, by its id."""
    contact_name: str | None
    """What the person is called."""
    state: Literal["queued", "with_agent", "with_bot"]
    """Who answers: nobody yet, an agent, or the bot."""
    agent: AgentRef | None
    """The agent who has it."""
    queue: str | None
    """What the flow's `live_chat` node calls the matter."""
    since: str | None
    """Since when it is in this state, RFC 3339 UTC; null: it was always the bot's."""
    unread: int = Field(ge=0)
    """The person's messages that no agent has read, since the bot gave it away."""
    last_message: str | None
    """What the person wrote last."""
    last_user_message_at: str | None
    """When the person last wrote there, RFC 3339 UTC."""


class Conversations(BaseModel):
    """One page."""

    items: list[Conversation]
    """With a filter a page may hold fewer than `limit`, or none, and have a `next`."""
    next: str | None


class Chat(BaseModel):
    """A person, or a group, that a channel has seen."""

    peer_id: str
    """The id that the channel has of it: what a trigger takes as `peer_id`."""
    title: str | None
    """What the group, or the person, is called."""
    type: Literal["private", "group"]
    can_write: bool
    """Whether the bot may begin something there: in a group it is a member and may write; a person has written to it, allows
    messages and has not unsubscribed."""


class Chats(BaseModel):
    """One page."""

    items: list[Chat]
    next: str | None


class Messages(BaseModel):
    """One page of what was said, the newest first."""

    items: list[ChatLine]
    next: str | None


class Said(BaseModel):
    """What the agent said. On a platform's channel it is on its way: `message.sent` or `message.failed` tells what became of it."""

    event_id: str
    messages: list[ChatMessage]


class Noted(BaseModel):
    """The note is in the chat log."""

    id: str
    """Its id in the chat log."""


class PresenceShown(BaseModel):
    """What holds now."""

    agent: AgentRef
    """Who it is."""
    state: Literal["online", "away", "offline"]
    """What was said."""
    until: str | None
    """Until when that holds, RFC 3339 UTC; the agent is offline then."""
