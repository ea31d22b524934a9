"""What the `data` of events holds: `EventData` of every type, and a model for each type that tells more.

Docstrings of fields are their descriptions (contracts.described). The models describe; nothing validates by them while
events are made. JSON Schemas, AsyncAPI, the webhooks of OpenAPI and docs/reference/events.md are made from them, and tests hold what the services emit to them.
"""

from __future__ import annotations

from typing import Any, Literal

from contracts.inbound import ChannelType
from contracts.model import Model
from contracts.people import ContactView


class BotRef(Model):
    """The bot that it is about."""

    id: str
    """Its id."""
    name: str | None = None
    """What it is called."""


class ChannelRef(Model):
    """The channel that it happened on."""

    id: str
    """Its id."""
    type: ChannelType | None = None
    """Its type: `telegram`, `webchat`, `http`, …"""


class FlowRef(Model):
    """The flow, and the version of it that ran."""

    id: str
    """Its id."""
    slug: str
    """Its name in the API."""
    version: int
    """The version that ran."""
    name: str | None = None
    """What it is called."""


class EventData(Model):
    """The part that every event's `data` shares. Extra keys are the type's own."""

    model_config = Model.model_config | {"extra": "allow"}

    event_id: str | None = None
    """The inbound event that caused it, when there is one: what GET /v1/events/{id} takes."""
    bot: BotRef | None = None
    """The bot that it is about."""
    channel: ChannelRef | None = None
    """The channel that it happened on."""
    conversation_id: str | None = None
    """The conversation: one person, or group, on one channel of one bot."""
    contact: ContactView | None = None
    """The person, as the bot knew them then."""
    flow: FlowRef | None = None
    """The flow, and the version of it that ran."""
    node: str | None = None
    """The node of the flow where it happened."""


class ReceivedMessage(Model):
    """What a person wrote, tapped or sent."""

    id: str
    """The platform's id of the message, or the `message_id` that we answered."""
    type: str
    """`text`, `choice` (a tap), `event`, `media`, `location`, `contact`, …"""
    text: str | None = None
    """What was written, or the title of what was tapped."""
    payload: str | None = None
    """What the button or event brings."""
    attachments: tuple[Any, ...] = ()
    """Files, a location or a shared contact."""
    provider: dict[str, Any] | None = None
    """The message as the platform told it."""


class Agent(Model):
    """A person who answers in place of the bot."""

    id: str
    """The agent's id."""
    name: str | None = None
    """The agent's name."""


class SentMessage(Model):
    """A message of the bot."""

    id: str
    """Its delivery: what GET /v1/deliveries/{id} takes, on channels of other people's platforms."""
    seq: int
    """Its number among the bot's messages in the conversation; it only rises."""
    provider_message_id: str | None = None
    """The platform's id of the message."""
    agent: Agent | None = None
    """The agent who wrote it, on channels that are ours; none: the bot."""
    text: str | None = None
    """What was said, on channels that are ours (webchat, http)."""
    buttons: tuple[Any, ...] = ()
    """The buttons under it, on the same channels."""
    quick_replies: tuple[Any, ...] = ()
    """The quick replies under it, on the same channels."""
    media: Any = None
    """A picture, video, recording or other file by its URL, on the same channels: `{type, url, name}`."""
    location: Any = None
    """A place, on the same channels: `{latitude, longitude, name, address}`."""
    cards: tuple[Any, ...] = ()
    """Cards side by side, on the same channels: `{title, text, image, buttons}`."""
    degraded: tuple[str, ...] = ()
    """What the channel cannot show and is said in words, on the same channels: `image`, `cards`, …"""
    hides_replies: bool | None = None
    """Whether quick replies of an earlier message vanish with it, on the same channels."""


class Failure(Model):
    """Why something did not succeed."""

    model_config = Model.model_config | {"extra": "allow"}

    type: str
    """A word to decide by."""
    detail: str | None = None
    """A sentence for people."""
    status: int | None = None
    """The HTTP status that it was answered with, if any."""


class EventProblem(Model):
    """The problem that HTTP would have answered; `type` is its last part."""

    model_config = Model.model_config | {"extra": "allow"}

    type: str
    """A word of docs/reference/problems.md."""
    title: str | None = None
    """What it is, in a few words."""
    status: int
    """The HTTP status that goes with it."""
    detail: str | None = None
    """A sentence for people."""
    reason: str | None = None
    """Which of several reasons, where the type has several."""


class Ref(Model):
    """Something by its id."""

    id: str
    """Its id."""


class TriggerRef(Model):
    """What started the flow."""

    id: str | None
    """The id of the trigger in the flow's document; null where none did (a jump, a call, the API)."""
    type: str
    """Its kind: `command`, `keyword`, `webhook`, …, `api`, `jump` or `call`."""


class LinkRef(Model):
    """A tracked link."""

    id: str
    """Its id."""
    url: str
    """Where it leads."""
    node: str | None = None
    """The node whose button it is."""


class CommandRef(Model):
    """A command, from Kafka or run by a flow."""

    kind: str | None = None
    """`start`, `say`, `contact_create`, `contact_update`, `contact_merge`, `signal`; `run` for one that a flow ran for somebody."""
    id: str | None = None
    """The `ce_id` that it came with."""
    name: str | None = None
    """Of a command that a flow ran: its name."""


class GivenUp(Model):
    """A delivery after its last attempt."""

    id: str
    """What GET /v1/deliveries/{id} takes."""
    attempts: int
    """How often it was tried."""
    event_type: str | None = None
    """The type of the event that it would have told of."""


class WithReason(EventData):
    """Something happened for a reason."""

    reason: str | None = None
    """Why, as the platform or the service tells it."""


class MessageReceivedData(EventData):
    """A person said something."""

    message: ReceivedMessage
    """What was said."""


class MessageSentData(EventData):
    """The bot said something."""

    message: SentMessage
    """What the bot said, or wanted to say."""


class MessageFailedData(MessageSentData):
    """The bot wanted to say something."""

    error: Failure
    """Why it failed."""


class FlowLaunchedData(EventData):
    """A flow started."""

    trigger: TriggerRef
    """What started it."""


class WithError(EventData):
    """Something failed."""

    error: Failure
    """Why it failed."""


class SessionExpiredData(EventData):
    """A session ended before its flow did."""

    reason: Literal["superseded", "expired"]
    """`superseded`: another flow took the conversation over, or the person unsubscribed; `expired`: its `session_ttl` was over."""


class RedirectFollowedData(EventData):
    """A tracked link was opened."""

    link: LinkRef
    """Which link."""


class TriggerRejectedData(EventData):
    """Whose call it was has been told 202 already."""

    problem: EventProblem
    """Why it was refused."""
    trigger_id: str | None = None
    """The trigger of the registry that was called."""
    flow_id: str | None = None
    """The flow that it starts."""


class FlowVersionUnusedData(EventData):
    """A retired version of a flow, by its id `<flow>/<n>`."""

    flow_version: Ref


class TriggerRequestData(EventData):
    """A call of a trigger, for the registry's log of requests."""

    trigger: Ref
    at: str
    """When it came, RFC 3339 UTC."""
    ip: str | None = None
    content_length: int | None = None
    body: Any = None
    """The body without its credentials."""
    status: int
    """What was answered."""
    problem: dict[str, Any] | None = None


class CommandAcceptedData(EventData):
    """A command was taken."""

    command: CommandRef
    """Which command."""
    status: Literal["started", "accepted"]
    """`started`: the flow began; `accepted`: Kafka has it, and what follows is told by other events."""
    contact_id: str | None = None
    """Of a command that was applied to a contact itself: the one that it made or changed."""


class CommandRejectedData(EventData):
    """A command was refused: nothing of it was done."""

    command: CommandRef
    """Which command."""
    problem: EventProblem
    """Why it was refused."""


class ContactUpdatedData(EventData):
    """A person is known otherwise than before."""

    changed: tuple[str, ...]
    """Which attributes: `profile.email`, `variables.city`."""


class TagData(EventData):
    """A tag was put on or taken off."""

    tag: str
    """Which tag."""


class FlagData(EventData):
    """A flag was put on or taken off."""

    flag: str
    """Which flag."""


class WebhookSentData(EventData):
    """A step's own webhook arrived."""

    title: str
    """The title that the node gave it."""
    delivery: Ref
    """What GET /v1/deliveries/{id} takes."""


class EndpointData(EventData):
    """Something is wrong with an endpoint."""

    endpoint: Ref
    """Which endpoint."""


class EndpointDisabledData(EndpointData):
    """An endpoint gets nothing any more until it is enabled."""

    reason: str
    """Why, as a sentence."""


class Circuit(Model):
    """An open circuit; `{}`: it is closed."""

    next_try: str | None = None
    """When the endpoint is tried again, RFC 3339."""
    reason: str | None = None
    """Why it is open, as a sentence."""


class EndpointCircuitData(EndpointData):
    """The circuit of an endpoint opened, stays open, or closed."""

    circuit: Circuit
    """As it is now."""


class DeliveryExhaustedData(EventData):
    """A delivery was given up."""

    endpoint: Ref | None = None
    """The endpoint that it was for, if it was for one."""
    title: str | None = None
    """The title of a step's webhook, if it was one."""
    delivery: GivenUp
    """Which delivery."""
    error: Failure
    """Why it failed."""
