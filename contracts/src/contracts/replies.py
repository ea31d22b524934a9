"""`switchhook.replies.v1`: answers to callers who wait. Key: the request id; the asker chose the partition.

Readers `assign` their partition from its end, without a group; a reply names the instance, so sharing is harmless.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from contracts.actions import MessageContent
from contracts.headers import CAUSE, CLOUD_EVENT, HOPS, PROJECT, TRACE
from contracts.inbound import AgentRef, Problem
from contracts.model import Model
from contracts.topic import HOUR_MS, Topic


class ChatMessage(Model):
    """One message to the person in a conversation's chat log; `seq` only rises."""

    seq: int
    id: str
    at: str
    content: MessageContent
    agent: AgentRef | None = None
    """The agent who wrote it; none: the bot."""


class RunReply(Model):
    """What the engine says of the event: `started` (verdict), or where the run came to rest.

    `answer` is the text of the last message sent in the run, None when it sent none.
    """

    kind: Literal["run"] = "run"
    instance: str
    request_id: str
    event_id: str
    status: Literal["started", "waiting", "completed", "failed", "rejected"]
    answer: str | None = None
    messages: tuple[ChatMessage, ...] = ()
    problem: Problem | None = None
    contact_id: str | None = None
    """Whom it changed or made, where it was about a contact itself."""


class ImportedLine(Model):
    """What became of a line: whom it made or changed, or why it was refused."""

    line: int
    contact_id: str | None = None
    problem: Problem | None = None


class ImportReply(Model):
    """What became of lines of an import, in their order."""

    kind: Literal["import"] = "import"
    instance: str
    request_id: str
    lines: tuple[ImportedLine, ...]


class MessagesReply(Model):
    """Messages for an attached instance: a backlog (with `request_id`) or copies of new ones.

    `last_seq`, of a backlog: the highest seq so far, which may be above those of `messages`; 0 before the first one.
    """

    kind: Literal["messages"] = "messages"
    instance: str
    request_id: str | None = None
    conversation: str
    messages: tuple[ChatMessage, ...]
    last_seq: int | None = None


class CallReply(Model):
    """The answer to a test call: what was sent (without secrets) and what came back."""

    kind: Literal["call"] = "call"
    instance: str
    request_id: str
    request: dict[str, Any] = Field(default_factory=dict)
    status: int | None = None
    took_ms: int = 0
    body: Any = None
    problems: tuple[str, ...] = ()


class Heartbeat(Model):
    """An ingress instance lives; instances count each other by it, for shared limits."""

    kind: Literal["heartbeat"] = "heartbeat"
    instance: str


Reply = Annotated[RunReply | ImportReply | MessagesReply | CallReply | Heartbeat, Field(discriminator="kind")]
ReplyAdapter: TypeAdapter[Any] = TypeAdapter(Reply)

TOPIC = Topic(
    name="switchhook.replies.v1",
    title="Answers to callers who wait",
    key="request id; the partition is the asker's",
    partitions=12,
    record=Reply,
    producers=("flow-engine", "dispatcher", "ingress"),
    consumers=("ingress", "registry", "flow-engine"),
    headers=(*CLOUD_EVENT, replace(PROJECT, needed=False), TRACE, HOPS, *CAUSE),
    family="reply",
    retention_ms=HOUR_MS,
)
