"""`switchhook.inbound.v1`: all that happens to a conversation, in order. Key: the conversation.

A record that names its person otherwise than by channel and peer is keyed `bot_id/-/<person>`; the engine finds the
contact and passes it on to the conversation with the same event id. The value is one `Inbound` model, told apart by
`kind`; the CloudEvents type is `dev.switchhook.inbound.<kind>`. `ce_id` is the event id, the de-duplication key.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from contracts.headers import OURS
from contracts.imported import ImportedContact
from contracts.inbound_base import ChannelType as ChannelType
from contracts.inbound_base import InboundBase as InboundBase
from contracts.inbound_base import Problem as Problem
from contracts.inbound_base import ReplyTo as ReplyTo
from contracts.model import Model
from contracts.people import Identifier, Person, Profile, ProfileField
from contracts.shown import Location, Media
from contracts.topic import Topic


class MessageReceived(InboundBase):
    """A person wrote, tapped, or sent something. `provider` is the platform's own message (SendPulse's channel_data).

    `verified` names the fields of `profile` that somebody other than the person vouches for, as the platform, or a token
    that may write data: they identify the person from then on. The others are what was claimed.
    """

    kind: Literal["message"] = "message"
    message_id: str
    type: Literal["text", "choice", "media", "contact", "location", "event"] = "text"
    text: str | None = None
    payload: str | None = None
    callback_id: str | None = None
    chat: Literal["private", "group"] = "private"
    chat_title: str | None = None
    thread: str | None = None
    """The part of a group that it was written in (a forum's topic), as the platform names it."""
    profile: Profile = Profile()
    verified: tuple[Identifier, ...] = ()
    provider: dict[str, Any] = Field(default_factory=dict)
    attachments: tuple[dict[str, Any], ...] = ()


class Reachability(InboundBase):
    """What the platform says about whether the bot may write: my_chat_member and its like, or a failed send.

    `verified`: as in a message.
    """

    kind: Literal["reachability"] = "reachability"
    state: Literal["subscribed", "unsubscribed", "blocked", "unreachable", "not_in_chat"]
    reason: str | None = None
    chat: Literal["private", "group"] = "private"
    chat_title: str | None = None
    profile: Profile = Profile()
    verified: tuple[Identifier, ...] = ()


class BroadcastRecipient(Model):
    """Which broadcast a start is of, and for whom, by their ids."""

    id: str
    contact_id: str


class StartFlow(InboundBase):
    """Another program starts a scenario (POST /v1/run, commands.v1), or a broadcast does, or a schedule of the flow. `entry` is the id of a trigger of the
    flow; None: its start.

    The engine writes those of a broadcast, and knows their variables itself; what a schedule makes is a broadcast, too.
    """

    kind: Literal["start"] = "start"
    source: Literal["trigger", "command", "broadcast", "schedule"]
    broadcast: BroadcastRecipient | None = None
    trigger_id: str | None = None
    flow_id: str
    entry: str | None = None
    person: Person | None = None
    chat: Literal["private", "group"] = "private"
    variables: dict[str, Any] = Field(default_factory=dict)
    content: Any = None


class UrlOpened(InboundBase):
    """Somebody opened a generated URL. One that is for no person has the channel `-` and the link's id as peer."""

    kind: Literal["url"] = "url"
    link_id: str
    command: str
    content: Any = None
    content_raw: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    person: Person | None = None
    registered: bool = False
    """Made by the registry's API: revoked when its entity is gone. Others live as long as their signature."""
    single_use: bool = False


class RunCommand(InboundBase):
    """A command that a flow runs for another person of the bot; the engine writes it, in that person's conversation."""

    kind: Literal["command"] = "command"
    command: str
    content: Any = None
    person: Person | None = None


class CallFailure(Model):
    """Why a call has no usable answer: the code and the sentence that `temp.error` shows."""

    type: str
    detail: str
    status: int | None = None


class CallResult(InboundBase):
    """The answer to a call action; `wait` names the wait it ends. `body` is the decoded JSON of an answer.

    `response` is the API call's own, for a step that says none.
    """

    kind: Literal["call_result"] = "call_result"
    action_id: str
    wait: str
    outcome: Literal["ok", "error", "timeout"]
    status: int | None = None
    body: Any = None
    error: CallFailure | None = None
    response: Literal["envelope", "raw"] | None = None
    took_ms: int | None = None
    """How long the last attempt took."""


class ReadHistory(InboundBase):
    """The engine's own: the newest `limit` messages before a place of the chat log, but for one, are read for the step that waits."""

    kind: Literal["read_history"] = "read_history"
    wait: str
    limit: int = Field(ge=1, le=100)
    before: int
    without: str


class MessageResult(InboundBase):
    """What became of a message action: it reached the platform, or it never will."""

    kind: Literal["message_result"] = "message_result"
    action_id: str
    seq: int
    outcome: Literal["sent", "failed", "cancelled"]
    provider_message_id: str | None = None
    error: CallFailure | None = None
    unreachable: Literal["blocked", "unreachable", "not_in_chat"] | None = None


class AgentRef(Model):
    """An agent, by the registry's id and name of then."""

    id: str
    name: str


class OwnerChange(InboundBase):
    """An agent (`by`) takes a conversation, gives it to another one (`agent`), or gives it back to the queue or the bot.

    The engine decides by the order of these records: of two who take it at once the first has it, the other one is refused.
    """

    kind: Literal["owner"] = "owner"
    to: Literal["agent", "queue", "bot"]
    by: AgentRef
    agent: AgentRef | None = None
    """Who has it then, where `to` is `agent`; None: `by`."""
    instead_of: str | None = None
    """The id of an agent who cannot act any more: what this one has may be taken by `by`."""


class AgentMessage(InboundBase):
    """What the agent who has a conversation writes to the person; refused if another one, or nobody, has it."""

    kind: Literal["agent_message"] = "agent_message"
    agent: AgentRef
    text: str
    """May be empty beside a file or a place."""
    media: Media | None = None
    location: Location | None = None


class AgentNote(InboundBase):
    """What an agent writes beside a conversation, for other agents: the person never sees it."""

    kind: Literal["agent_note"] = "agent_note"
    agent: AgentRef
    text: str


class AgentRead(InboundBase):
    """An agent has read what the person wrote so far."""

    kind: Literal["agent_read"] = "agent_read"
    agent: AgentRef


class AgentPresence(InboundBase):
    """An agent says whether he is there. It is about the agent: its key is `<project>/-/agent:<id>`, and its `bot_id` the project.

    What he says holds until he says something else, or `until_seconds` are over: then he is offline.
    """

    kind: Literal["agent_presence"] = "agent_presence"
    agent: AgentRef
    state: Literal["online", "away", "offline"]
    until_seconds: int = 120


class TimerFired(InboundBase):
    """A timer is due. The turn that applies it deletes the timer's row; without a row it does nothing."""

    kind: Literal["timer"] = "timer"
    timer_id: str
    wait: str


class Signal(InboundBase):
    """Another program says that something happened (`wait_event`)."""

    kind: Literal["signal"] = "signal"
    name: str
    person: Person | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class OwnEvent(InboundBase):
    """What the bot tells the outside of (contracts.event_types), for its flows; of a webhook given up the dispatcher writes it."""

    kind: Literal["event"] = "event"
    type: str
    data: dict[str, Any] = Field(default_factory=dict)
    person: Person | None = None


class LinkFollowed(InboundBase):
    """A tracked link of this conversation was followed; the engine tells it with the contact (`redirect.followed`)."""

    kind: Literal["link_followed"] = "link_followed"
    link_id: str
    url: str
    node: str | None = None


class ContactUpdate(InboundBase):
    """Another program changes a contact: per attribute, last write wins.

    Its token may write data, so what it says of external_id, phone and email is verified. Without `person` and keyed
    `bot_id/-/<contact id>` it is about the contact itself, which may have no conversation; with `create` it makes one, keyed
    by anything. `clear` names fields of the profile; a variable of null is cleared. `if_version`: only if the contact still
    has this one. `merge`: the id of a contact that is the same person, and this one from then on; nothing else is changed then.
    """

    kind: Literal["contact_update"] = "contact_update"
    person: Person | None = None
    profile: Profile = Profile()
    variables: dict[str, Any] = Field(default_factory=dict)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    add_flags: tuple[str, ...] = ()
    remove_flags: tuple[str, ...] = ()
    clear: tuple[ProfileField, ...] = ()
    create: bool = False
    if_version: int | None = None
    merge: str | None = None


class ContactImport(InboundBase):
    """Some lines of an import, in their order, each applied or refused by itself. Key: `bot_id/-/<the import's id>`."""

    kind: Literal["contact_import"] = "contact_import"
    lines: tuple[ImportedContact, ...]


class WebhookReceived(InboundBase):
    """A receiver answered a send_webhook step with 2xx: the contact has the step's title from then on. Key: `bot_id/-/<contact id>`."""

    kind: Literal["webhook_received"] = "webhook_received"
    contact_id: str
    title: str
    conversation: str | None = None  # Whose step sent it, by the key.


class Attach(InboundBase):
    """An ingress instance wants the bot's messages after `after` and new ones until `until`; no turn is made."""

    kind: Literal["attach"] = "attach"
    instance: str
    partition: int
    after: int
    until: str
    request_id: str


class Redrive(InboundBase):
    """A held conversation goes on: the event that it waits for and those behind it are applied, in order.

    An operator writes it where an event failed. The engine writes it with `deferred` where the first event's turn was
    deferred; it then does nothing to a conversation that waits for an operator.
    """

    kind: Literal["redrive"] = "redrive"
    deferred: bool = False


class Erase(InboundBase):
    """A person is erased: whatever is kept under this key, and was received before `received_at`.

    The first one, with `begins`, is keyed `bot_id/-/<contact id>` and names that contact. By it the contact itself goes, with
    those that were merged into it (`contact_ids`), and the engine writes one for each of their conversations and keys.
    """

    kind: Literal["erase"] = "erase"
    erasure: str
    contact_ids: tuple[str, ...]
    begins: bool = False


class ErasureDone(InboundBase):
    """The dispatcher has erased what it had of a key: an answer to the action `erase`. `again`, as there: of all keys."""

    kind: Literal["erasure_done"] = "erasure_done"
    erasure: str
    again: bool = False


class Migrate(InboundBase):
    """The engine's own: whoever is in another version of a flow goes on in this one. `migration` is the job's id."""

    kind: Literal["migrate"] = "migrate"
    migration: str
    flow_id: str
    to: int


Inbound = Annotated[
    MessageReceived | Reachability | StartFlow | UrlOpened | RunCommand | CallResult | ReadHistory | MessageResult | TimerFired | Signal
    | OwnEvent | LinkFollowed | ContactUpdate | ContactImport | WebhookReceived | OwnerChange | AgentMessage | AgentNote | AgentRead
    | AgentPresence | Attach | Redrive | Erase | ErasureDone | Migrate,
    Field(discriminator="kind"),
]  # fmt: skip
InboundAdapter: TypeAdapter[Any] = TypeAdapter(Inbound)

TOPIC = Topic(
    name="switchhook.inbound.v1",
    title="All that happens to a conversation",
    key="bot_id/channel_id/peer_id",
    partitions=12,
    record=Inbound,
    producers=("ingress", "dispatcher", "flow-engine"),
    consumers=("flow-engine",),
    headers=OURS,
    family="inbound",
)
