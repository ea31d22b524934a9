"""What the interpreter takes and gives. Plain data; times and ids arrive inside the event.

`step(graph set, conversation, contact, event) -> Turn` is pure: the same input gives the same turn, ids included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Wait:
    """Where a session rests and what may wake it. `token` is unique: a late answer to a used wait does nothing."""

    token: str
    kind: Literal["answer", "call", "delay", "event", "code"]
    node: str
    until: str | None = None
    """RFC 3339 UTC; a timer of the same token fires then."""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Session:
    """From a flow's entry to its end. `stack` holds the sessions that this one interrupted, innermost last."""

    flow_id: str
    flow_version: int
    cause: str
    """Event id that started the run; callers who wait for it are answered when it rests."""
    started_at: str
    expires_at: str
    memory: dict[str, Any] = field(default_factory=dict)
    wait: Wait | None = None
    attempts: int = 0
    """Wrong answers to the present question."""


@dataclass(slots=True)
class Conversation:
    """A person on a channel of a bot, for ever. `version` counts saved turns; `next_seq` numbers the bot's messages."""

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
    queued: list[dict[str, Any]] = field(default_factory=list)
    """Events that wait while a call is in flight (`while_waiting: queue`)."""
    reachable: str = "unknown"
    """unknown (never talked) | subscribed | unsubscribed | blocked | unreachable | not_in_chat"""
    chat: str = "private"
    last_message: str | None = None
    last_at: str | None = None
    used_taps: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Contact:
    """The person, of one bot. The interpreter reads it and changes its copy; the shell saves the PatchContact effects."""

    id: str
    profile: dict[str, Any] = field(default_factory=dict)
    """contracts.people.PROFILE_FIELDS"""
    variables: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event as the interpreter sees it. `id` is the inbound event id, `now` RFC 3339 UTC (never goes back).

    `kind` and the keys of `data`:
    message {text, payload, type, message_id} · start {flow_id, entry, variables, content} · url {command, content,
    content_raw, options} · command {command, content} · call_result {wait, outcome, status, body, error} ·
    timer {wait} · code_result {wait, ok, value, sent[], runs[], error} · signal {name, data}
    """

    id: str
    kind: str
    now: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message. `seq` is its place among the bot's messages of the conversation."""

    seq: int
    text: str
    buttons: tuple[dict[str, Any], ...] = ()
    """{title, payload?, url?} as contracts.actions.Button"""
    quick_replies: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class CallApi:
    """Call a named API; the answer comes back as call_result with `wait`."""

    api: str
    params: dict[str, Any]
    wait: str


@dataclass(frozen=True, slots=True)
class PostWebhook:
    """Post to an inline URL (send_webhook). `title` and `url` are rendered."""

    title: str
    url: str
    format: str
    node: str


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Tell the outside. `type` is one of contracts.events.EVENT_TYPES; the shell adds contact, bot, channel, flow."""

    type: str
    data: dict[str, Any]
    node: str | None = None


@dataclass(frozen=True, slots=True)
class PatchContact:
    """Per attribute, last write wins. Keys: `profile.<field>`, `variables.<name>`; a None clears."""

    set: dict[str, Any] = field(default_factory=dict)
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Fire `timer` with this wait token at `due` (RFC 3339 UTC)."""

    wait: str
    due: str


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """The wait is over."""

    wait: str


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run a command for another contact of the bot (B4), through inbound."""

    command: str
    person: dict[str, str]
    """As contracts.people.Person"""
    content: Any


Effect = Say | CallApi | PostWebhook | EmitEvent | PatchContact | StartTimer | CancelTimer | RunCommand


@dataclass(frozen=True, slots=True)
class RunCode:
    """The turn cannot go on before this code ran (B8). The shell runs it and steps again with code_result."""

    wait: str
    source: str
    inputs: dict[str, Any]
    """content, content_raw, options, user, memory, bot, event"""
    now: str
    seed: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The event could not start what it asked for; `type` is a problem slug (peer-not-reachable …)."""

    type: str
    status: int
    detail: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run came to rest in this turn: who waits for `cause` is answered with this."""

    cause: str
    status: Literal["waiting", "completed", "failed"]
    error: str | None = None
    error_type: str | None = None


@dataclass(slots=True)
class Turn:
    """What one event did. With `code`, the turn is unfinished: run it and step again from this conversation."""

    conversation: Conversation
    contact: Contact
    effects: list[Effect] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    """{flow_id, flow_version, node, type, port?}: the trace"""
    started: str | None = None
    """cause of a run that this event started"""
    rests: list[RunEnd] = field(default_factory=list)
    refused: Refused | None = None
    code: RunCode | None = None
