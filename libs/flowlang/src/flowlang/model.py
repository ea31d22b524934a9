"""What the interpreter takes and gives. Plain data; times and ids arrive inside the event.

`step(flows, conversation, contact, happening, tools) -> Turn` is pure: the same input gives the same turn, ids included,
and what went in is not changed. Conversations, sessions and contacts are copied when they change; whoever holds one
treats its dicts and lists as frozen. Events and effects are never changed; they are not frozen, which would make each take
four times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from flowlang.tools import Tools as Tools


@dataclass(slots=True)
class Wait:
    """Where a session rests and what may wake it. `token` is unique: a late answer to a used wait does nothing."""

    token: str
    kind: Literal["answer", "call", "delay", "event", "code", "agent"]
    node: str
    until: str | None = None
    """RFC 3339 UTC; a timer of the same token fires then."""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """A flow that waits for one that it called: its version, the node that called, and its memory."""

    flow_id: str
    flow_version: int
    node: str
    memory: dict[str, Any]


@dataclass(slots=True)
class Session:
    """From a flow's entry to its end, its failure or `expires_at`. Its `memory` lives as long."""

    flow_id: str
    flow_version: int
    cause: str
    """Event id that started the run."""
    acts_for: str
    """Event id on whose behalf it moves now: `cause`, then the last message it took. Both are answered when it rests."""
    started_at: str
    expires_at: str
    memory: dict[str, Any] = field(default_factory=dict)
    wait: Wait | None = None
    attempts: int = 0
    """Wrong answers to the present question."""
    quick_replies: list[str] = field(default_factory=list)
    """`quickreplies` of an API's answer that came without responses: shown with the next message."""
    said: str | None = None
    """Text of the last message sent on behalf of `acts_for`."""
    since_seq: int = 1
    """`seq` of the first message that may be sent on behalf of `acts_for`."""
    error: dict[str, Any] | None = None
    """{type, detail} of an error that no port took, on behalf of `acts_for`: its callers hear of it."""
    frames: list[Frame] = field(default_factory=list)
    """Flows that wait for the one that it is in, which they called, innermost last."""
    unasked: bool = False  # An event began it: it writes to nobody who has unsubscribed.


@dataclass(slots=True)
class Conversation:
    """A person on a channel of a bot, for ever. `next_seq` numbers the bot's messages.

    `version` counts turns: a finished turn gives the conversation back with the next one. `channel_id` is `-` and the
    contact's id empty where a generated URL runs for nobody: its messages are the HTTP answer only.
    """

    key: str
    project_id: str
    bot_id: str
    channel_id: str
    channel_type: str
    peer_id: str
    contact_id: str
    version: int = 0
    next_seq: int = 1
    session: Session | None = None
    stack: list[Session] = field(default_factory=list)
    """Waiting sessions that the present one interrupted, innermost last; they share its memory, and hold none themselves."""
    queued: list[dict[str, Any]] = field(default_factory=list)
    """Events that wait while a call is in flight (`while_waiting: queue`)."""
    reachable: str = "unknown"
    """unknown (never talked) | subscribed | unsubscribed | blocked | unreachable | not_in_chat"""
    opted_out: bool = False
    """The person has unsubscribed: nobody begins with them, but what they begin themselves is answered. No message undoes it
    but /start and the bot's words for that; what the platform says of `reachable` is apart from it."""
    chat: str = "private"
    talked: bool = False
    """Whether the person ever wrote."""
    last_message: str | None = None
    thread: str | None = None
    """The part of a group in which the last message was written (a forum's topic), as the platform names it."""
    owner: str = "bot"
    """Who answers the person: `bot`, `queued` (an agent is waited for), or an agent's id; see flowlang.running.ownership."""
    owner_epoch: int = 0
    """How often that has changed."""
    owner_name: str | None = None
    """The agent's name, as of then."""
    owner_since: str | None = None
    """When that has changed last, RFC 3339 UTC."""
    queue: str | None = None
    """What the `live_chat` node calls the matter, while it is not the bot's."""
    queue_timer: str | None = None
    """Token of the timer that gives it back to the bot when no agent has answered. It is the conversation's: a session that is
    lost meanwhile leaves nobody waiting for ever."""
    presence: dict[str, Any] | None = None
    """Of what an agent's own key stands for: {state, agent, token} while the agent is there; the timer of that token ends it."""
    unread: int = 0
    """The person's messages that no agent has read, of those since the conversation is not the bot's."""
    last_at: str | None = None
    """`now` of the last turn: the conversation's time never goes back."""
    taps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Where the buttons of the last messages lead, by `seq`: {flow_id, flow_version, node, wait?}; a used one is gone."""
    sharing: bool = False
    """Whether the person still sees a button by which they were to share something: it vanishes with the next message."""
    unfinished: Any = None
    """Between a turn with `code` and the step that answers it; never stored."""


LabelKind = Literal["tags", "flags"]


@dataclass(slots=True)
class Contact:
    """The person, of one bot. The interpreter reads it and changes its copy; the engine saves the PatchContact effects."""

    id: str
    profile: dict[str, Any] = field(default_factory=dict)
    """contracts.people.PROFILE_FIELDS"""
    variables: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    webhook_titles: list[str] = field(default_factory=list)
    """Of webhooks about the person that their receivers took; nothing in a turn changes them."""


@dataclass(slots=True)
class Happening:
    """One event as the interpreter sees it. `id` is the inbound event id, `now` RFC 3339 UTC (never goes back).

    The engine has met the person before: message.received, bot.subscribed and contact.created are its events.

    `kind` and the keys of `data`: message {text, payload, type, message_id} · start {flow_id, entry, variables, content, broadcast_id?} · timer {wait} ·
    url {command, content, content_raw, options} · command {command, content} · signal {name, data} ·
    call_result {wait, outcome, status, body, error, response?} · code_result {wait, ok, value, sent[], runs[], error} ·
    reachability {state, before, reason, chat}: whether the bot may write, now and until now ·
    contact_update {changed[]: keys as in PatchContact.set, add_tags[], remove_tags[]}: another program's change, made ·
    message_result {action_id, seq, outcome, provider_message_id, error}: what became of a message of the bot ·
    returned {port, value}: the flow that the node called has come to its end; the walk makes it of the present event ·
    owner {to: agent | queue | bot, by, agent}: an agent takes the conversation or gives it back; agents are {id, name} ·
    agent_message {text, agent, media?, location?} · agent_read {} ·
    event {type, …: what that event has}: the bot has told the outside of it
    """

    id: str
    kind: str
    now: str
    data: dict[str, Any] = field(default_factory=dict)

    def showing(self, data: dict[str, Any]) -> Happening:
        """The same event with other data."""
        return Happening(self.id, self.kind, self.now, data)


class Effect:
    """What a turn asks the engine for. Plain data; each kind is one dataclass with slots."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    """Its fields: dataclasses set it."""

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle: a turn may be made in another process."""
        return type(self), tuple(getattr(self, name) for name in self.__match_args__)


@dataclass(slots=True)
class Say(Effect):
    """Send a message. `seq` is its place among the bot's messages of the conversation."""

    seq: int
    text: str
    buttons: tuple[dict[str, Any], ...] = ()
    """{title, payload?, url?, shares?} as contracts.actions.Button"""
    quick_replies: tuple[dict[str, Any], ...] = ()
    expires: str | None = None
    """After that moment it is not worth sending; None: nobody says so."""
    agent: dict[str, str] | None = None
    """{id, name} of the agent who writes it; None: the bot."""
    media: dict[str, Any] | None = None
    """{type, url, name?} as contracts.actions.Media"""
    location: dict[str, Any] | None = None
    """{latitude, longitude, name?, address?} as contracts.actions.Location"""
    cards: tuple[dict[str, Any], ...] = ()
    """{title, text?, image?, buttons?} as contracts.actions.Card"""
    degraded: tuple[str, ...] = ()
    """What the channel cannot show, and is said in words: `image`, `cards`, …"""
    hides_replies: bool | None = None
    """Quick replies that are still shown vanish with it."""


@dataclass(slots=True)
class SupersedeMessages(Effect):
    """Messages of the bot that were not sent yet never are: an agent took the conversation, or gave it back."""


@dataclass(slots=True)
class CallApi(Effect):
    """Call a named API; the answer comes back as call_result with `wait`."""

    api: str
    params: dict[str, Any]
    wait: str
    goes_on: bool = False
    """One of several that a node makes one after the other, and bounds: it is no further from the event's first cause."""


@dataclass(slots=True)
class AskModel(Effect):
    """contracts.actions.AskModel, by the names of the model and of API calls; answered as CallApi, `body` as its ModelAnswer."""

    model: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[str, ...]
    may_call: bool
    answer_schema: dict[str, Any] | None
    spent: int
    seconds: float
    wait: str
    goes_on: bool = False


@dataclass(slots=True)
class ReadHistory(Effect):
    """The newest messages of the chat log but that of `event`, or those of `cut`; answered as CallApi, `body` {messages, cut}."""

    limit: int
    event: str
    wait: str
    cut: dict[str, Any] | None = None
    goes_on: bool = False


@dataclass(slots=True)
class PostWebhook(Effect):
    """Post to an inline URL (send_webhook, `report`). `title` and `url` are rendered; `contact` is as of that step."""

    title: str
    url: str
    format: str
    node: str
    flow: dict[str, Any]
    """{id, slug, version, name} as contracts.event_data.FlowRef"""
    contact: Contact


@dataclass(slots=True)
class RequestAction(Effect):
    """Have the dispatcher do something: an action of this `kind`, with the `fields` that contracts.actions has for it, JSON.

    The engine adds what all actions have. An answer that the step waits for comes as the kind of delivery reports it,
    under the wait's token if that is among the fields.
    """

    kind: str
    fields: dict[str, Any]


@dataclass(slots=True)
class EmitEvent(Effect):
    """Tell the outside. `type` is one of contracts.event_types.EVENTS; the engine adds bot, channel, conversation."""

    type: str
    data: dict[str, Any]
    node: str | None = None
    flow: dict[str, Any] | None = None
    """{id, slug, version, name} as contracts.event_data.FlowRef"""
    contact: Contact | None = None
    """The contact as of that moment (profile.pushed is a snapshot of its step)."""


@dataclass(slots=True)
class PatchContact(Effect):
    """Per attribute, last write wins. Keys: `profile.<field>`, `variables.<name>`; a None clears. One a turn."""

    set: dict[str, Any] = field(default_factory=dict)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    add_flags: tuple[str, ...] = ()
    remove_flags: tuple[str, ...] = ()


@dataclass(slots=True)
class StartTimer(Effect):
    """Fire `timer` with this wait token at `due` (RFC 3339 UTC)."""

    wait: str
    due: str


@dataclass(slots=True)
class CancelTimer(Effect):
    """The wait is over."""

    wait: str


@dataclass(slots=True)
class RunCommand(Effect):
    """Run a command for another contact of the bot: an event for that conversation."""

    command: str
    person: dict[str, str]
    """As contracts.people.Person"""
    content: Any


@dataclass(frozen=True, slots=True)
class RunCode:
    """The turn cannot go on before this code ran. The engine runs it and steps again with code_result.

    `sent` of the result are texts, `runs` {command, user_id?, content?}, `value` what the code evaluates to.
    """

    wait: str
    source: str
    inputs: dict[str, Any]
    """content, content_raw, options, user, memory (None without a person), bot, event"""
    now: str
    seed: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The event could not start what it asked for; `type` is a problem slug (peer-not-reachable …)."""

    type: str
    status: int
    detail: str
    reason: str | None = None


@dataclass(slots=True)
class RunEnd:
    """What became of an event: who waits for `cause` (an event id) is answered with this.

    Every event ends in one, or in `Turn.refused`, sooner or later (not while a call runs). `answer` is the text of the
    last message sent on its behalf; its messages are those from `since_seq` on.
    """

    cause: str
    status: Literal["waiting", "completed", "failed"]
    error: str | None = None
    error_type: str | None = None
    answer: str | None = None
    since_seq: int = 1
    goes_on: bool = False
    """It waits for time only: who opened a generated URL waits on, for the command's last word."""


@dataclass(slots=True)
class Turn:
    """What one event did. With `code`, the turn is unfinished: run it and step again from this conversation.

    The turn that comes then holds everything, this one's effects, steps and rests too.
    """

    conversation: Conversation
    contact: Contact
    effects: list[Effect] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    """The trace: {flow_id, flow_version, node, type, port?, missing?: names that rendered empty, error?}"""
    started: str | None = None
    """cause of a run that this event started"""
    rests: list[RunEnd] = field(default_factory=list)
    refused: Refused | None = None
    code: RunCode | None = None
    memory_changes: dict[tuple[str, str], tuple[Any, Any]] = field(default_factory=dict)
    """(flow id, name) of what was written to a session's memory -> its values before and after; None: it had none."""
    reached: list[int] = field(default_factory=list)
    """Places among the steps of those in which the session came to the node; in the others the node went on."""
