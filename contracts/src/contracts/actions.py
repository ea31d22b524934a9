"""`switchhook.actions.v1`: what the dispatcher has to do: send messages, call APIs, post webhooks. Key: the conversation.

Every record the engine writes carries source headers (cloudevents.source_headers); a test call of the registry has none
and a `reply_to` instead. `ce_id` equals `id`. Limit: 256 KiB encoded, with headers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from contracts.cloudevents import TYPE_PREFIX
from contracts.headers import OURS
from contracts.inbound import ChannelType, ReplyTo
from contracts.model import Model
from contracts.shown import Location as Location
from contracts.shown import Media as Media
from contracts.topic import Topic

ACTION_LIMIT = 256 * 1024
WebhookFormat = Literal["switchhook", "sendpulse", "sendpulse_legacy", "template"]


class Button(Model):
    """One button. A tap sends `payload` back, or opens `url`; with neither, the title comes back as a text message.

    With `shares`, of a quick reply only, it has the person's own contact or place shared, by whatever the channel has for that.
    """

    title: str
    payload: str | None = None
    url: str | None = None
    shares: Literal["contact", "location"] | None = None


class Card(Model):
    """One of several cards that stand side by side. `image` is a URL."""

    title: str
    text: str | None = None
    image: str | None = None
    buttons: tuple[Button, ...] = ()


class MessageContent(Model):
    """What a person is shown. `quick_replies` vanish after a tap, `buttons` stay with the message.

    It has at most one of `media`, `location` and `cards`, and only what its channel can show (channels.descriptor.Capability); beside one of
    them the text may be empty. `degraded` names what the channel cannot show, and is said in words instead. `hides_replies`: quick replies
    of an earlier message, which are still there on some channels, vanish now.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    quick_replies: tuple[Button, ...] = ()
    media: Media | None = None
    location: Location | None = None
    cards: tuple[Card, ...] = ()
    degraded: tuple[str, ...] = ()
    hides_replies: bool | None = None


class ActionBase(Model):
    """`day` (YYYY-MM-DD, UTC) is half of the delivery's key. Who makes the action sets it, so that a repeat has the same."""

    id: str
    project_id: str
    bot_id: str
    conversation: str
    contact_id: str | None = None
    day: str
    created_at: str
    hops: int = 0


def action_type(action: type[ActionBase]) -> str:
    """The CloudEvents type of an action's records, by its field `kind`."""
    return f"{TYPE_PREFIX}action.{action.model_fields['kind'].default}"


class SendMessage(ActionBase):
    """Write to a person on a channel. `seq` orders the conversation's messages.

    It has failed when it could not be sent within 5 minutes of the dispatcher's taking it over, or by `expires`, which the
    flow says. `expires_at` is read by dispatchers of earlier releases only.
    """

    kind: Literal["send_message"] = "send_message"
    channel_id: str
    channel_type: ChannelType
    peer_id: str
    thread: str | None = None
    """Where in a group it belongs: as of the person's message before it."""
    seq: int
    content: MessageContent
    expires_at: str
    expires: str | None = None
    owner_epoch: int = 0
    """How often the conversation's owner had changed: a SupersedeMessages with a higher one ends the bot's, unless sent."""
    agent_id: str | None = None
    """The agent who wrote it; None: the bot."""
    callback_id: str | None = None
    """The tap that this message answers: the platform is told first (Telegram's answerCallbackQuery)."""


class SupersedeMessages(ActionBase):
    """An agent took the conversation, or gave it back: messages of the bot from before, that have not been sent, never are.

    It is no delivery: the dispatcher ends theirs as `cancelled`, in the transaction that takes this record over. A message
    that is on the wire by then goes on, and is not repeated.
    """

    kind: Literal["supersede_messages"] = "supersede_messages"
    owner_epoch: int
    """Messages with a lower one are from before."""


class AcknowledgeTap(ActionBase):
    """Tell the platform that a tap was seen, which ends Telegram's progress indicator. Nothing depends on its success."""

    kind: Literal["acknowledge_tap"] = "acknowledge_tap"
    channel_id: str
    channel_type: ChannelType
    callback_id: str


class CallApi(ActionBase):
    """Call an API that the registry names. The result goes back to `conversation` as CallResult with the same `wait`."""

    kind: Literal["call_api"] = "call_api"
    api_call_id: str
    params: dict[str, Any] = Field(default_factory=dict)
    wait: str
    channel_id: str
    peer_id: str
    reply_to: ReplyTo | None = None
    """A test call: the answer goes there, and no conversation hears of it."""
    response: Literal["envelope", "raw"] | None = None
    """The API call's own `response` as of then; it comes back with the result."""


class HttpRequest(ActionBase):
    """Make a request that a flow describes. The result goes back to `conversation` as CallResult with the same `wait`.

    `secrets` are headers whose values are the project's secrets: header → name of the secret. The dispatcher puts them in.
    """

    kind: Literal["http_request"] = "http_request"
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    url: str
    query: dict[str, Any] = Field(default_factory=dict)
    """Added to the URL's own."""
    headers: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    encoding: Literal["json", "form"] | None = None
    """How the body is written; null: there is none. That of a form is an object."""
    timeout_seconds: int = Field(ge=1, le=30)
    """How long an attempt may take."""
    idempotent: bool = False
    """Whether it may be made again when its answer was lost, or is an error of the server."""
    answer: bool = False
    """Whether the answer's JSON is wanted; else any 2xx will do, whatever it has."""
    wait: str


class ModelTool(Model):
    """An API call that a model may ask for. `parameters`: name → type, as in contracts.registry.ApiCall."""

    name: str
    description: str | None = None
    parameters: dict[str, str] = Field(default_factory=dict)


class ToolCall(Model):
    """What a model asks for. `error`: why it is not made, a sentence for the model; then the arguments are left out."""

    id: str
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None


class ModelMessage(Model):
    """One of those that a model is given: its own `calls` have the role `assistant`, what came of the call `call_id` the role
    `tool`."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str | None = None
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None


class ModelTokens(Model):
    """What a question and its answer came to, as the model's server counts."""

    input: int = 0
    output: int = 0


class ModelAnswer(Model):
    """`body` of the CallResult of an AskModel that a model answered: a text, a refusal, or calls, as many as a turn may have."""

    text: str | None = None
    refusal: str | None = None
    calls: tuple[ToolCall, ...] = ()
    tokens: ModelTokens = ModelTokens()


class AskModel(ActionBase):
    """Ask a language model that the registry names. The answer goes back to `conversation` as CallResult with the same `wait`.

    `may_call`: whether the answer may be calls of `tools` still. `answer_schema`: the JSON Schema that the text is to follow.
    `spent`: tokens that the turn of this node has taken so far. After `seconds` nobody waits any more.
    """

    kind: Literal["ask_model"] = "ask_model"
    api_call_id: str
    messages: tuple[ModelMessage, ...]
    tools: tuple[ModelTool, ...] = ()
    may_call: bool = True
    answer_schema: dict[str, Any] | None = None
    spent: int = 0
    seconds: float = Field(gt=0)
    wait: str
    channel_id: str
    peer_id: str
    reply_to: ReplyTo | None = None
    """A test: the answer goes there, and no conversation hears of it."""


class PostWebhook(ActionBase):
    """A send_webhook step with its URL in the flow: signed with the project's secret, `webhook-id` is `id`."""

    kind: Literal["post_webhook"] = "post_webhook"
    url: str
    format: WebhookFormat = "switchhook"
    title: str
    timestamp: str
    data: dict[str, Any]
    """The `data` of the switchhook format; dispatcher.sending.formats makes the others from it."""
    tells_engine: bool = False
    """Whether the engine is to hear of a 2xx (inbound.WebhookReceived). One of a release before that does not ask for it, and could not read it."""


class ChannelCall(ActionBase):
    """Call a method of a channel's platform (getMe, setWebhook) for who waits at `reply_to`; `conversation` is `-`.

    What is secret in setWebhook (`url`, `secret_token`) is not in `params`: the dispatcher takes it from the credentials.
    """

    kind: Literal["channel_call"] = "channel_call"
    channel_id: str
    method: str
    params: dict[str, Any] = Field(default_factory=dict)
    credentials_version: int = 0
    """Of the channel's sealed credentials: a dispatcher that has older ones waits for these."""
    reply_to: ReplyTo


class EraseContacts(ActionBase):
    """Forget what is kept of these contacts, and send nothing more for them. The answer is `contracts.inbound.ErasureDone`.

    `again`: it was told before, under each of the person's keys, and may be lost; this one stands for all of them.
    """

    kind: Literal["erase"] = "erase"
    erasure: str
    contact_ids: tuple[str, ...]
    again: bool = False


Action = Annotated[
    SendMessage | SupersedeMessages | AcknowledgeTap | CallApi | HttpRequest | AskModel | PostWebhook | ChannelCall | EraseContacts,
    Field(discriminator="kind"),
]  # fmt: skip
ActionAdapter: TypeAdapter[Any] = TypeAdapter(Action)

TOPIC = Topic(
    name="switchhook.actions.v1",
    title="Messages to send, APIs to call, webhooks to post",
    key="bot_id/channel_id/peer_id",
    partitions=12,
    record=Action,
    producers=("flow-engine", "registry"),
    consumers=("dispatcher",),
    headers=OURS,
    family="action",
)
