"""`hook_url`: make a URL that runs a command when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from contracts.web_url import web_url
from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.expressions.templates import Template
from flowlang.expressions.values import Place, Value, json_size
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

CONTENT_LIMIT = 2048
"""It travels in the URL, encrypted."""


class HookUrlModel(NodeModel):
    """Keep a URL for `command` at `save_to`. `person: none` makes the bot's global URL."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["hook_url"]
    command: str = Field(min_length=1, max_length=100)
    """The command that opening the URL runs: a `command` trigger with `from: [url]`."""
    person: Literal["current", "none"] = "current"
    """For whom: the person of this conversation, or nobody (the bot's global URL)."""
    content: Any = None
    """What the command finds in `event.content` when the request brings nothing; merge tags are filled in now."""
    redirect_to: str | None = None
    """Where who opens it is sent afterwards; may have merge tags."""
    expires_in: Duration | None = None
    """How long the URL works."""
    single_use: bool = False
    """Whether it works once only; needs `expires_in`."""
    confirm: bool = False
    """Whether a page with a button comes first."""
    save_to: str
    """The place where the URL is kept."""

    @model_validator(mode="after")
    def _single_use_ends(self) -> HookUrlModel:
        if self.single_use and not self.expires_in:
            raise ValueError("`single_use` needs `expires_in`: uses are remembered so long")
        return self

    def build(self, compiler: Compiler) -> HookUrl:
        return HookUrl(
            self.command,
            self.person == "current",
            compiler.value(self.content, "content"),
            compiler.url(self.redirect_to, "redirect_to") if self.redirect_to else None,
            clock.duration(self.expires_in) if self.expires_in else None,
            self.single_use,
            self.confirm,
            compiler.place(self.save_to, "save_to"),
        )


@dataclass(frozen=True, slots=True)
class HookUrl(Step):
    """The running step."""

    IS_BOUNDED: ClassVar = True

    command: str
    for_person: bool
    content: Value
    redirect_to: Template | None
    expires_in: timedelta | None
    single_use: bool
    confirm: bool
    save_to: Place

    def enter(self, run: StepContext) -> Outcome:
        content = self.content.of(run)
        if json_size(content) > CONTENT_LIMIT:
            raise NodeError("content-too-large", f"the content of a URL has at most {CONTENT_LIMIT} bytes")
        payload: dict[str, Any] = {
            "command": self.command,
            "person": run.person(None) if self.for_person else None,
            "content": content,
            "redirect_to": _away(self.redirect_to, run) if self.redirect_to else None,
            "expires_at": clock.after(run.now, self.expires_in) if self.expires_in else None,
            "single_use": self.single_use,
            "confirm": self.confirm,
        }
        run.write(self.save_to, run.link("command", payload))
        return Go()


def _away(redirect_to: Template, run: StepContext) -> str:
    try:
        return web_url(redirect_to.render(run))
    except ValueError as error:
        raise NodeError("redirect-to", f"redirect_to: {error}") from error
