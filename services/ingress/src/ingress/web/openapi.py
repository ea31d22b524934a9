"""What ingress' OpenAPI document says of its routes. `python -m ingress.web.openapi` prints it.

The models describe; requests are checked by the doors, which is faster and names what is wrong in their callers' words.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.links import HookLink
from contracts.people import Person, Profile
from contracts.replies import ChatMessage
from ingress.chat.shared import MOST_ATTACHMENTS, Shared
from servicekit.web.openapi import TEXT, WHOLE, Operation, Problem, Said, Schema, document

WAIT: dict[str, Schema] = {
    "Prefer": {"type": "string", "description": "`respond-async`, or `wait=N` for up to N (30) seconds"}
}
KEY: dict[str, Schema] = {"Idempotency-Key": {"type": "string", "maxLength": 255}}
LISTENING: dict[str, Schema] = {"after": WHOLE, "wait": WHOLE}
RESUMING: dict[str, Schema] = {"Last-Event-ID": TEXT}
STREAM = "With `Accept: text/event-stream` as server-sent events, whose ids are the messages' `seq`."


class Run(BaseModel):
    """The body of a trigger's call. What else is in it reaches the flow as `event.content`."""

    peer_id: str | int | None = Field(default=None, description="The person's id in the trigger's channel")
    person: Person | None = None
    """Who it is about, in place of `peer_id`."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """What the entry's `accept` names."""
    token: str | None = Field(default=None, description="For callers that cannot set headers")
    wait: float | None = Field(default=None, ge=0, le=30, description="Seconds, for callers that cannot set headers")


class Taken(BaseModel):
    """Kafka has it. `started`: the engine has begun with it."""

    event_id: str
    status: Literal["accepted", "started"]


class AtRest(BaseModel):
    """The run waits for the person, is over, or failed. `answer`: the text of its last message."""

    event_id: str
    status: Literal["waiting", "completed", "failed"]
    answer: str | None = None
    messages: list[ChatMessage]
    problem: Problem | dict[str, Any] | None = None


class CommandAnswer(BaseModel):
    """The text of the command's last message."""

    answer: str | None


class StillRunning(BaseModel):
    """The command has not come to rest yet."""

    status: Literal["accepted"]


class NewTalk(BaseModel):
    """Whom the program speaks for, and the flow to start, if any. `entry` is the id of a webhook trigger of it."""

    person: Person | None = None
    """Whom the program speaks for; left out: somebody new."""
    flow: str | None = None
    """A flow to start at once: its id or slug."""
    entry: str | None = None
    """Where to enter it: the id of one of its webhook triggers; left out: its start."""
    variables: dict[str, Any] | None = None
    """What the entry's `accept` names."""
    contact: Profile | None = None
    """What the program knows of the person; it is verified where the token has `data:write`."""


class TalkOpened(BaseModel):
    """`last_seq`: messages up to there are from before, and this session does not see them."""

    session_id: str
    bot_id: str
    channel_id: str
    peer_id: str
    last_seq: int
    expires_at: str
    """When its id is refused, RFC 3339 UTC: 30 days after it was opened."""
    event_id: str | None = None
    status: Literal["accepted", "started", "waiting", "completed", "failed"] | None = None
    answer: str | None = None
    messages: list[ChatMessage] | None = None
    problem: Problem | dict[str, Any] | None = None


class Message(BaseModel):
    """What a person says. Sent twice with one `client_message_id`, it is one message."""

    client_message_id: str = Field(min_length=1, max_length=128)
    """Your own name for the message: sent twice, it is one message."""
    type: Literal["text", "choice", "event", "media", "location", "contact"] = "text"
    """A text, a tap on a button, an event of your own, or what `attachments` bring: files, a place, a contact."""
    text: str | None = Field(default=None, max_length=16_384)
    """Of a text: what was written; of files: the caption."""
    attachments: list[Shared] | None = Field(default=None, min_length=1, max_length=MOST_ATTACHMENTS)
    """Of `media` the files, of `location` and `contact` one of that type."""
    payload: str | None = Field(default=None, max_length=1_024)
    """Of a tap: the button's payload."""
    name: str | None = Field(default=None, max_length=1_024)
    """Of an event: its name."""
    contact: Profile | None = None
    """What the person says of themselves."""


class MessageWithWait(Message):
    """`wait` in seconds, for callers that cannot set the header `Prefer`."""

    wait: float | None = Field(default=None, ge=0, le=30)
    """So many seconds at most the answer waits for what the bot says."""


class SaidTaken(Taken):
    """Kafka has the message."""

    message_id: str


class SaidAtRest(AtRest):
    """The message, and what the bot answered."""

    message_id: str


class Messages(BaseModel):
    """`last_seq` is the next call's `after`."""

    messages: list[ChatMessage]
    last_seq: int


class NewWebSession(BaseModel):
    """`locale` is a language tag, such as en-GB.

    `contact` counts when the site's server opens the session, with an API token that has `data:write`: it says who the
    visitor is, and identifies them. The page gets the session's token, never the API's.
    """

    visitor_id: Any = None
    """Not used."""
    locale: str | None = None
    """The visitor's language, `en-GB`."""
    page_url: Any = None
    """Not used."""
    contact: Any = None
    """Who the visitor is, as profile fields."""


class WebSession(Messages):
    """`token` is all that opens the session again; it lasts `expires_in` seconds."""

    session_id: str
    token: str
    expires_in: int


class WebMessage(BaseModel):
    """The message was taken."""

    message_id: str


class NewSignal(BaseModel):
    """Resumes a `wait_event` step of that name."""

    bot: str
    """The bot's id."""
    name: str = Field(min_length=1, max_length=100)
    """What happened: the `name` of a `wait_event` node."""
    person: Person
    """Whose conversation waits for it."""
    data: dict[str, Any] = Field(default_factory=dict)
    """What the node keeps at `save_to`."""


_HOOK = {
    200: Said(
        "The command came to rest; or, if the link asks first, a page with a button",
        CommandAnswer,
        others=("text/html",),
    ),
    202: Said("It has not come to rest within 25 s", StillRunning),
}
_HOOK_TEXT = (HookLink.__doc__ or "").splitlines()[0]
OPERATIONS: dict[str, Operation] = {
    "POST /v1/run/{trigger}": Operation(
        {202: Said("Accepted or started", Taken), 200: Said("With `wait`: where it came to rest", AtRest)},
        body=Run,
        headers={**WAIT, **KEY},
    ),
    "GET /v1/w/{signed}": Operation(_HOOK | {302: Said("To where the link says")}, headers=KEY, text=_HOOK_TEXT),
    "POST /v1/w/{signed}": Operation(
        _HOOK | {303: Said("To where the link says")}, body=Any, headers=KEY, text=_HOOK_TEXT
    ),
    "GET /v1/r/{signed}": Operation({302: Said("To the link's target")}),
    "GET /v1/in/{channel}/{random}": Operation({200: Said("As the platform wants it", media_type="text/plain")}),
    "POST /v1/in/{channel}/{random}": Operation({200: Said("Taken")}, body=Any),
    "POST /v1/talk/{bot}/sessions": Operation(
        {201: Said("The session", TalkOpened)}, body=NewTalk, headers={**WAIT, **KEY}
    ),
    "POST /v1/talk/{bot}/sessions/{session}/messages": Operation(
        {202: Said("Taken", SaidTaken), 200: Said("With `wait`: what the bot answered", SaidAtRest)},
        body=MessageWithWait,
        headers=WAIT,
    ),
    "GET /v1/talk/{bot}/sessions/{session}/messages": Operation(
        {200: Said("The messages after `after`", Messages, others=("text/event-stream",))},
        query=LISTENING,
        headers=RESUMING,
        text=STREAM,
    ),
    "DELETE /v1/talk/{bot}/sessions/{session}": Operation(
        {204: Said("Closed, also if it was before")},
        text="From then on the id is unknown to every route that takes it, in every replica within moments; a long poll ends with "
        "404, a stream within 15 s. The conversation stays: what its flow waits for, its timers, and what the flow does then go on, and a new "
        "session for the same person hears what the bot says from then on.",
    ),
    "POST /v1/web/{channel}/sessions": Operation(
        {201: Said("The session", WebSession)},
        body=NewWebSession,
        text="With a session's token in `Authorization` that session comes back, with a new token. With an API token that "
        "has `data:write`, which only the site's server may hold, `contact` says who the visitor is.",
    ),
    "POST /v1/web/{channel}/sessions/{session}/messages": Operation({202: Said("Taken", WebMessage)}, body=Message),
    "GET /v1/web/{channel}/sessions/{session}/events": Operation(
        {200: Said("The messages after `after`", Messages, others=("text/event-stream",))},
        query=LISTENING,
        headers=RESUMING,
        text=STREAM,
    ),
    "POST /v1/signals": Operation({202: Said("Kafka has it", Taken)}, body=NewSignal, headers=KEY),
}


if __name__ == "__main__":
    json.dump(document("ingress", OPERATIONS), sys.stdout)
