"""`ask`: send a question and wait for the answer. A wrong one is asked again, so often as `retry.max` says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel, Duration
from flowlang.building.titles import check_text
from flowlang.expressions.templates import Template
from flowlang.expressions.values import Place
from flowlang.inputs.base import Input, Invalid, Reader, Share
from flowlang.inputs.registry import INPUT_KINDS
from flowlang.model import Happening
from flowlang.nodes.base import Edge, Go, NodeModel, Outcome, Rest, Step, To, answer_names
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

if TYPE_CHECKING:
    AnyInput = Input
else:  # One of those that are installed, told apart by `type`.
    AnyInput = Annotated[reduce(or_, INPUT_KINDS.values()), Field(discriminator="type")]


class Retry(DocumentModel):
    """What a wrong answer gets: this text (or the question again), at most `max` times."""

    text: str | None = None
    """What a wrong answer gets; left out: the question again."""
    max: int = Field(default=2, ge=0, le=20)
    """How often it is asked again."""


class AskModel(NodeModel):
    """Ask a person. `expires`: after so long since what caused it the question is not worth sending. Leaves by `ok` or the option's own target, `invalid` after too many wrong answers, `timeout`."""

    PORTS: ClassVar = ("ok", "invalid", "timeout", "error")
    WAITS: ClassVar = True
    WAITS_FOR: ClassVar = {"": "message", "timeout": "timer"}

    type: Literal["ask"]
    text: str = Field(min_length=1)
    """The question; may have merge tags."""
    input: AnyInput
    """What is an answer, and where it is kept."""
    retry: Retry = Retry()
    """What a wrong answer gets."""
    timeout: Duration | None = None
    """After so long without an answer the node is left by `timeout`."""
    expires: Duration | None = None
    """After so long since what caused it the question is not worth sending any more."""

    def build(self, compiler: Compiler) -> Ask:
        text = compiler.template(self.text, "text")
        check_text(compiler, self.text, "text")
        if self.retry.text:
            check_text(compiler, self.retry.text, "retry", "text")
        with compiler.at("input"):
            reader = self.input.build(compiler)
            save_to = compiler.place(self.input.save_to, "save_to") if self.input.save_to else None
            share = self.input.share(compiler)
        retry = compiler.template(self.retry.text, "retry", "text") if self.retry.text else text
        timeout = clock.duration(self.timeout) if self.timeout else None
        expires = clock.duration(self.expires) if self.expires else None
        return Ask(text, retry, self.retry.max, reader, save_to, timeout, expires, share)

    def edges(self) -> Iterator[Edge]:
        yield from super().edges()
        for named in self.input.named():
            if named.to:
                yield Edge(named.to, ("input", *named.place), events=self.events_behind())

    def needs_port(self) -> str | None:
        leads = [named.to for named in self.input.named()]
        all_lead = bool(leads) and all(leads)
        return None if all_lead or "ok" in self.ports else "ok"

    def report_moments(self) -> tuple[str, ...]:
        return answer_names(self.input.named())

    def lost_in(self, newer: Self) -> str | None:
        if self.input.type != newer.input.type:
            return "other-answer"
        shown, now = ([named.id for named in node.input.named()] for node in (self, newer))
        return None if shown == now[: len(shown)] else "other-options"


@dataclass(frozen=True, slots=True)
class Ask(Step):
    """The running question."""

    IS_BOUNDED: ClassVar = True

    text: Template
    retry_text: Template
    retries: int
    reader: Reader
    save_to: Place | None
    timeout: timedelta | None
    expires: timedelta | None
    share: Share | None = None

    def enter(self, run: StepContext) -> Outcome:
        if run.nobody:
            raise NodeError("no-person", "a generated URL without a person has nobody to ask")
        run.session.attempts = 0
        wait = run.wait("answer", self.timeout)
        self._ask(self.text, wait.token, run)
        return Rest(wait)

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        if happening.kind == "timer":
            return Go("timeout", error=NodeError("timeout", "no answer in time"))
        try:
            answer = self.reader.read(happening.data, run.tapped(happening), run)
        except Invalid as error:
            return self._again(error, run)
        if self.save_to:
            run.write(self.save_to, answer.value)
        return To(answer.to, answer.name) if answer.to else Go("ok", answer.name)

    def _again(self, error: Invalid, run: StepContext) -> Outcome:
        run.session.attempts += 1
        if run.session.attempts > self.retries:
            return Go("invalid", error=NodeError("invalid-answer", str(error)))
        wait = run.same_wait()
        self._ask(self.retry_text, wait.token, run)
        return Rest(wait)

    def _ask(self, template: Template, token: str, run: StepContext) -> None:
        seq = run.next_seq
        options: list[dict[str, Any]] = [
            {"title": title, "payload": run.payload(seq, id)} for id, title in self.reader.shown(run)
        ]
        tap = {"wait": token} if options else None
        # A channel refuses a message that has a button without words.
        if self.share is not None and run.is_private and (title := self.share.title.render(run).strip()):
            options.append({"title": title, "shares": self.share.what})
        run.say(template.render(run), [], options, tap=tap, expires=self.expires)
