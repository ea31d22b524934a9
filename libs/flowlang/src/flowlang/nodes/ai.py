"""`ai`: one turn with a language model, its tools and its answer (docs/decisions/0067).

Each question and each call of a tool is a wait of its own, whose answer comes as any call's does. What the model is told of the tools
so far (`Exchange`) is kept with the wait; the history is read anew for each question.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from flowlang import clock
from flowlang.answer_schema import wrong_answer, wrong_schema
from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel, Duration
from flowlang.expressions.templates import Template
from flowlang.expressions.values import Place
from flowlang.model import AskModel, CallApi, Happening, ReadHistory
from flowlang.nodes.base import End, Go, NodeModel, Outcome, Rest, Step
from flowlang.nodes.calls import WhileWaiting, failed, timed_out
from flowlang.nodes.context import StepContext
from flowlang.nodes.exchange import MOST_CALLS, Exchange, cut
from flowlang.problems import NodeError

LONGEST_WAIT = timedelta(minutes=5)
LONGEST_INPUT = 4 * 1024
"""Bytes: a conversation keeps it until the model has answered."""
LONGEST_SYSTEM = 16 * 1024
MOST_TOOLS = 16
MOST_HISTORY = 50


class Output(DocumentModel):
    """What the answer is to be, and where it is kept."""

    answer_schema: dict[str, Any] = Field(alias="schema")
    """The JSON Schema of the answer, which is an object."""
    save_to: str
    """Where the object is kept: `memory.intent`."""


class AiModel(NodeModel):
    """Ask a language model, which may use the bot's own API calls as tools: at most 8 calls, and only what each declares.

    Either `say` or `output` says what becomes of its answer. What it says is text, and never a template.
    """

    PORTS: ClassVar = ("ok", "refused", "error", "timeout")
    WAITS: ClassVar = True
    WAITS_FOR: ClassVar = {"": "call_result"}

    type: Literal["ai"]
    model: str = Field(min_length=1)
    """The name of an API call of `kind: model` (`POST /v1/api-calls`)."""
    system: str = ""
    """What the model is told before all else; may have merge tags, but of `event`: it is rendered anew for each question."""
    history: int = Field(default=0, ge=0, le=MOST_HISTORY)
    """How many messages of the chat log the model is shown, of those before this event."""
    input: str = "{{ event.text }}"
    """What the model is asked, at most 4,096 bytes; what is longer is cut."""
    tools: list[str] = Field(default_factory=list, max_length=MOST_TOOLS)
    """Names of API calls that the model may make; what it may give each are its `parameters`."""
    output: Output | None = None
    """The answer is an object, which is kept."""
    say: bool = False
    """The answer is said to the person."""
    while_waiting: WhileWaiting = "queue"
    """What becomes of the person's messages meanwhile: kept for later, ending the wait, or dropped."""
    timeout: Duration | None = None
    """After so long the node is left by `timeout`, all questions and tools counted; left out: five minutes."""

    @model_validator(mode="after")
    def _has_one_use(self) -> AiModel:
        if self.say == (self.output is not None):
            raise ValueError("say what becomes of the answer: `say: true`, or an `output`")
        return self

    def build(self, compiler: Compiler) -> AiStep:
        self._check_names(compiler)
        system, place = compiler.template(self.system, "system"), None
        if any(path[:1] == ("event",) for path in system.reads):
            message = "`system` is rendered anew for each question, when the event is another: put it into `input`, or into memory first"
            compiler.problem("event-in-system", message, "system")
        if self.output is not None:
            place = compiler.place(self.output.save_to, "output", "save_to")
            if not compiler.later and (wrong := wrong_schema(self.output.answer_schema)):
                compiler.problem("answer-schema", wrong, "output", "schema")
        return AiStep(
            self.model, system, self.history, compiler.template(self.input, "input"), tuple(self.tools),
            self.output.answer_schema if self.output else None, place, self.while_waiting,
            clock.duration(self.timeout) if self.timeout else LONGEST_WAIT,
        )  # fmt: skip

    def _check_names(self, compiler: Compiler) -> None:
        known, models = compiler.known.api_calls, compiler.known.models
        if known is None or models is None:
            return
        if self.model not in models:
            compiler.problem(
                "unknown-model", f"there is no model {self.model!r}: define an API call of kind model", "model"
            )
        for index, name in enumerate(self.tools):
            if name not in known or name in models:
                compiler.problem(
                    "unknown-api-call", f"there is no API call {name!r}: define it or name another", "tools", index
                )

    def api_calls(self) -> tuple[str, ...]:
        return (self.model, *self.tools)


@dataclass(frozen=True, slots=True)
class AiStep(Step):
    """The running turn. The wait's `data`: {while_waiting, input, until, epoch, at, cut?, exchange}."""

    IS_BOUNDED: ClassVar = True

    model: str
    system: Template
    history: int
    input: Template
    tools: tuple[str, ...]
    schema: dict[str, Any] | None
    save_to: Place | None
    """None: the answer is said."""
    while_waiting: WhileWaiting
    timeout: timedelta

    def enter(self, run: StepContext) -> Outcome:
        asked = cut(self.input.render(run).strip(), LONGEST_INPUT)
        if not asked:
            raise NodeError("nothing-asked", "`input` is empty: there is nothing to ask the model")
        until = clock.after(run.now, self.timeout)
        data = {"while_waiting": self.while_waiting, "input": asked, "until": until, "epoch": run.owner_epoch}
        return self._ask(run, data, Exchange(), first=True)

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        data, result = run.same_wait().data, happening.data
        if happening.kind == "timer":
            return timed_out(self.model)
        if self.save_to is None and run.owner_epoch != data["epoch"]:
            return End()  # An agent has had the person since: what was asked before is not answered after that.
        exchange = Exchange.kept(data["exchange"])
        if data["at"] == "history":
            return self._with_history(run, data, exchange, result)
        if data["at"] == "model":
            return self._model_answered(run, data, exchange, result)
        exchange.tool_answered(data["call"], result)
        return self._next(run, data, exchange)

    # Asking.

    def _ask(self, run: StepContext, data: dict[str, Any], exchange: Exchange, *, first: bool = False) -> Outcome:
        if not self.history:
            return self._question(run, data, exchange, [], first=first)
        token, outcome = self._wait(run, data, exchange, "history")
        run.emit(ReadHistory(self.history, run.happening.id, token, data.get("cut"), goes_on=not first))
        return outcome

    def _with_history(
        self, run: StepContext, data: dict[str, Any], exchange: Exchange, result: dict[str, Any]
    ) -> Outcome:
        found = result.get("body") or {}
        return self._question(run, {**data, "cut": found.get("cut")}, exchange, found.get("messages") or [])

    def _question(
        self,
        run: StepContext,
        data: dict[str, Any],
        exchange: Exchange,
        history: list[dict[str, Any]],
        *,
        first: bool = False,
    ) -> Outcome:
        system = self.system.render(run).strip()
        if len(system.encode()) > LONGEST_SYSTEM:
            raise NodeError("system-too-long", f"`system` has at most {LONGEST_SYSTEM} bytes")
        said = [{"role": "system", "text": system}] if system else []
        messages = [*said, *history, {"role": "user", "text": data["input"]}, *exchange.messages]
        token, outcome = self._wait(run, data, exchange, "model")
        run.emit(AskModel(
            self.model, tuple(messages), self.tools, exchange.asked < MOST_CALLS, self.schema, exchange.tokens,
            max(1.0, _left(run, data).total_seconds()), token, goes_on=not first,
        ))  # fmt: skip
        return outcome

    def _wait(
        self, run: StepContext, data: dict[str, Any], exchange: Exchange, at: Literal["history", "model", "tool"]
    ) -> tuple[str, Rest]:
        wait = run.wait(
            "call", max(timedelta(seconds=1), _left(run, data)), {**data, "at": at, "exchange": exchange.as_dict()}
        )
        return wait.token, Rest(wait, exchange.trace)

    # What the model answered.

    def _model_answered(
        self, run: StepContext, data: dict[str, Any], exchange: Exchange, result: dict[str, Any]
    ) -> Outcome:
        body = result.get("body") or {}
        exchange.count(body.get("tokens") or {})
        if result.get("outcome") != "ok":
            told = failed(result, self.model)
            told.trace = exchange.trace
            return told
        if body.get("refusal"):
            return Go("refused", error=NodeError("refused", body["refusal"]), trace=exchange.trace)
        if body.get("calls"):
            try:
                exchange.model_asked(body["calls"], self.tools)
            except NodeError as error:
                return Go("error", error=error, trace=exchange.trace)
            return self._next(run, data, exchange)
        return self._said(run, data, exchange, str(body.get("text") or ""))

    def _next(self, run: StepContext, data: dict[str, Any], exchange: Exchange) -> Outcome:
        """The next tool that was asked for, or the next question."""
        call = exchange.next_call()
        if call is None:
            return self._ask(run, data, exchange)
        exchange.trace["tool"] = call["name"]
        token, outcome = self._wait(run, {**data, "call": call["id"]}, exchange, "tool")
        run.emit(CallApi(call["name"], call["arguments"], token, goes_on=True))
        return outcome

    def _said(self, run: StepContext, data: dict[str, Any], exchange: Exchange, text: str) -> Outcome:
        if self.save_to is None or self.schema is None:
            run.say(text)
            return Go("ok", trace=exchange.trace)
        run.work.pass_gate()
        value, wrong = wrong_answer(self.schema, text)
        if wrong is None:
            run.write(self.save_to, value)
            return Go("ok", trace=exchange.trace)
        if exchange.repaired:
            return Go(
                "error",
                error=NodeError("wrong-answer", f"the answer is not what was asked for: {wrong}"),
                trace=exchange.trace,
            )
        exchange.repair(text, wrong)
        return self._ask(run, data, exchange)


def _left(run: StepContext, data: dict[str, Any]) -> timedelta:
    return clock.moment(data["until"]) - clock.moment(run.now)
