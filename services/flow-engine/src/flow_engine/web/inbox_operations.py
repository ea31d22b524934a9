"""What the engine's OpenAPI document says of the agents' inbox."""

from __future__ import annotations

from flow_engine.web import chats, inbox, inbox_stream
from flow_engine.web import inbox_models as models
from flow_engine.web.contact_models import Accepted
from servicekit.web.openapi import PAGE, PROJECT, TEXT, Operation, Said, Schema

KEYED: dict[str, Schema] = {"Idempotency-Key": TEXT, "Prefer": TEXT}
LATER = Said("Kafka has it, and it will be applied", Accepted)
FILTERS: dict[str, Schema] = {
    "bot": {**TEXT, "description": "Whose, by its id; may be left out where the project has one bot"},
    "state": {**TEXT, "enum": list(inbox.STATES), "description": "Only those in this state; left out: all"},
    "agent": {**TEXT, "description": "Only those of this agent, by its id, or of who asks: `me`"},
    "channel": {**TEXT, "description": "Only those on this channel, by its id"},
    "q": {**TEXT, "description": "Only those with people of whose name or identifiers words begin so"},
}
CHATS_OF: dict[str, Schema] = {
    "channel": {**TEXT, "description": "Which channel's, by its id"},
    "type": {**TEXT, "enum": list(chats.TYPES), "description": "Only people, or only groups; left out: both"},
}
_CHANGED = Said("The conversation as it is now", models.Conversation)
_TAKEN = "409 `already-taken` names the agent who has it; of two at once the conversation's partition decides."
OPERATIONS: dict[str, Operation] = {
    inbox.LIST: Operation(
        {200: Said("The conversations", models.Conversations, others=(inbox_stream.MEDIA_TYPE,))},
        query=PAGE | FILTERS | PROJECT,
        headers={"Accept": TEXT},
        text="Who has waited longest comes first; with the bot's among them they are in the order of their ids. With `Accept:"
        " text/event-stream` as server-sent events: `conversation` for each that people answer, and whenever one changes, `gone` for one"
        " that is not listed any more.",
    ),
    chats.LIST: Operation(
        {200: Said("The chats", models.Chats)},
        query=PAGE | CHATS_OF | PROJECT,
        text="People and groups, in an order that stays. Whom a channel never heard of is not there. With `type` a page may hold fewer than"
        " were asked for, or none, and go on: `next` says so.",
    ),
    inbox.SHOW: Operation({200: Said("The conversation", models.Conversation)}, query=PROJECT),
    inbox.MESSAGES: Operation({200: Said("What was said", models.Messages)}, query=PAGE | PROJECT),
    inbox.TAKE_OVER: Operation({200: _CHANGED, 202: LATER}, query=PROJECT, headers=KEYED, text=_TAKEN),
    inbox.ASSIGN: Operation({200: _CHANGED, 202: LATER}, models.Assign, query=PROJECT, headers=KEYED, text=_TAKEN),
    inbox.RELEASE: Operation({200: _CHANGED, 202: LATER}, models.Release, query=PROJECT, headers=KEYED),
    inbox.SAY: Operation(
        {201: Said("It is said", models.Said), 202: LATER},
        models.NewMessage,
        query=PROJECT,
        headers=KEYED,
        text="By the agent who has the conversation; others get 409 `already-taken` or `not-your-conversation`.",
    ),
    inbox.NOTE: Operation({201: Said("It is noted", models.Noted), 202: LATER}, models.NewNote, PROJECT, KEYED),
    inbox.PRESENCE: Operation(
        {200: Said("What holds now", models.PresenceShown), 202: LATER},
        models.Presence,
        query=PROJECT,
        headers=KEYED,
        text="`agent.logged_in` and `agent.logged_out` tell of it, each once. Without another word the agent is offline after two minutes.",
    ),
    inbox.READ: Operation({200: _CHANGED, 202: LATER}, query=PROJECT, headers=KEYED),
}
