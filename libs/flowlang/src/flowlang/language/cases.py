"""Test cases in a document: what is given, what happens, and what is expected of it. They change nothing of what the flow does."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from flowlang import clock
from flowlang.building.fields import DocumentModel, Duration, NodeId

MOST_CASES, MOST_STEPS = 50, 100
STARTS_AT = "2026-01-05T09:00:00.000Z"
"""A Monday."""


YEARS = range(2000, 2100)


def _is_moment(text: str) -> str:
    if clock.moment(text).year not in YEARS:
        raise ValueError(f"a year from {YEARS[0]} to {YEARS[-1]}")
    return text


Moment = Annotated[str, AfterValidator(_is_moment), Field(json_schema_extra={"format": "date-time"})]


class Answer(DocumentModel):
    """What a node that waits for a program gets. Other fields are handed to the node as they are: `value`, `sent`, `runs` and
    `error` for `code`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    status: int | None = Field(default=None, examples=[200])
    """The HTTP status; left out: 200. From 400 on the node is left by `error`."""
    body: Any = None
    """The body, as JSON."""
    outcome: str | None = None
    """`ok`, `error` or `timeout`; left out: as the status says."""
    error: Any = None
    """Why it failed: `{type, detail}`; of `code` a text."""


class Given(DocumentModel):
    """The world before the first step."""

    now: Moment = Field(default=STARTS_AT, examples=[STARTS_AT])
    """The time of the first step, RFC 3339."""
    user: dict[str, Any] = Field(default_factory=dict)
    """The person: profile fields and variables by their names, `tags` and `flags` as lists."""
    bot: dict[str, Any] = Field(default_factory=dict)
    """The bot's variables."""
    channel: str = Field(default="telegram", examples=["telegram"])
    """The type of the channel: what one message holds follows from it."""
    talked: bool = True
    """Whether the person has written to the bot before."""
    segments: dict[str, bool | str] = Field(default_factory=dict)
    """Segments by their names: whether the person is in it, or its filter."""
    answers: dict[NodeId, Answer | tuple[Answer, ...]] = Field(default_factory=dict)
    """What the calls of a node are answered with, at once: one for all, or one after the other, the last again and again."""

    @model_validator(mode="after")
    def _labels_are_texts(self) -> Given:
        for name in ("tags", "flags"):
            labels = self.user.get(name, [])
            if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
                raise ValueError(f"user.{name} is a list of texts")
        return self


class Message(DocumentModel):
    """A message that is no text."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = "text"
    """What it is, as the channel says: `text`, `image`, `location` …"""
    text: str | None = None
    """Its text."""


class Command(DocumentModel):
    """A command that another conversation runs."""

    command: str
    """The command."""
    content: Any = None
    """What it is given: `event.content`."""


class Opening(Command):
    """A command that a generated URL runs."""

    content_raw: str = Field(default="", examples=['{"order": 17}'])
    """The body of the request, as text."""
    options: dict[str, Any] = Field(default_factory=dict)
    """`event.options`: method, headers and query of the request."""


class Start(DocumentModel):
    """Another program starts the flow."""

    entry: str | None = None
    """The id of a `webhook` trigger; left out: at the flow's `start`."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """`event.variables`."""
    flow: str | None = None
    """The slug of another flow of the bot."""


class Signal(DocumentModel):
    """An event that a `wait_event` waits for."""

    name: str
    """Its name."""
    data: Any = None
    """What it carries."""


class Reply(Answer):
    """The answer to a call, now."""

    node: NodeId
    """The node that waits for it."""


class Other(DocumentModel):
    """Any other event of a conversation."""

    kind: str
    """What has happened, such as `reachability`, `contact_update` or `owner`."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Its fields."""


class Expected(DocumentModel):
    """What a step has done, or all of them. What is left out is not looked at; of objects the named fields are."""

    says: tuple[str, ...] | None = None
    """All texts of the bot, word for word."""
    mentions: tuple[str, ...] = ()
    """Each is a part of one of its texts."""
    nodes: tuple[str, ...] | None = None
    """All nodes that were visited, in their order."""
    waits_at: str | None = Field(default=None, examples=["ask_lecture"])
    """The node where the session waits then; `null`: there is none."""
    user: dict[str, Any] = Field(default_factory=dict)
    """Of the person: profile fields, variables, `tags`, `flags`."""
    memory: dict[str, Any] = Field(default_factory=dict)
    """Of the session's memory, while there is a session."""
    webhooks: tuple[dict[str, Any], ...] | None = None
    """All webhooks: `title`, `url`, `format`, `node` and `contact`, of which the body is made."""
    calls: tuple[dict[str, Any], ...] | None = None
    """All calls: `api` and `params`; of `http_request` its `kind`, `method`, `url`, `query`, `headers` and `body`; of `ai` each
    question with its `model`, `messages` and `tools`, and the calls of tools."""
    effects: tuple[dict[str, Any], ...] = ()
    """Effects that are among all, as `flow simulate` shows them."""
    events: tuple[str, ...] = ()
    """Types of events that are among those told to the outside."""
    ends: Literal["waiting", "completed", "failed", "refused"] | None = None
    """What became of the last event."""


class ScriptStep(DocumentModel):
    """Something that happens: one of its fields but for `expect`."""

    say: str | None = Field(default=None, examples=["/start"])
    """The person writes this."""
    tap: str | None = Field(default=None, examples=["Kafka"])
    """The person taps the button or quick reply of this title that was shown last."""
    message: Message | None = None
    """The person sends something else."""
    start: Start | None = None
    """Another program starts the flow."""
    open: Opening | None = None
    """A generated URL is opened."""
    run: Command | None = None
    """Another conversation runs a command for this person."""
    signal: Signal | None = None
    """An event that is waited for comes."""
    answer: Reply | None = None
    """A call is answered, where `given.answers` has nothing for its node."""
    wait: Duration | None = Field(default=None, examples=["PT1H"])
    """Time passes, and what is due meanwhile happens."""
    event: Other | None = None
    """Something else happens."""
    expect: Expected | None = None
    """What is expected of this step."""

    @property
    def does(self) -> str:
        """The name of what happens."""
        return next(name for name in _VERBS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _one_thing_happens(self) -> ScriptStep:
        if sum(getattr(self, name) is not None for name in _VERBS) != 1:
            raise ValueError(f"a step has one of {', '.join(_VERBS)}")
        return self


_VERBS = tuple(name for name in ScriptStep.model_fields if name != "expect")


class Script(DocumentModel):
    """What happens in a world that is given."""

    given: Given = Given()
    """The world before the first step."""
    steps: tuple[ScriptStep, ...] = Field(min_length=1, max_length=MOST_STEPS)
    """What happens, one after the other."""


class Case(Script):
    """One test case."""

    name: str = Field(min_length=1, max_length=200)
    """What it is about."""
    expect: Expected | None = None
    """What is expected of all steps together."""
