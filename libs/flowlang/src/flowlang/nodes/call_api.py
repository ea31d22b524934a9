"""`call_api`: call a named API and use its answer: the envelope (nodes.envelope), or a raw body by JMESPath."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.expressions.json_paths import JsonPath
from flowlang.expressions.values import Place, Value, json_size
from flowlang.model import CallApi, Happening
from flowlang.nodes import envelope
from flowlang.nodes.base import Go, NodeModel, Outcome, Rest, Step
from flowlang.nodes.calls import LONGEST_WAIT, WhileWaiting, failed, timed_out
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

PARAMS_LIMIT = 128 * 1024


class CallApiModel(NodeModel):
    """Call a named API. `while_waiting` says what becomes of the person's messages meanwhile.

    `response`, where it is given, or a `save`, which is for raw answers, stands above the API call's own.
    """

    PORTS: ClassVar = ("ok", "error", "timeout")
    WAITS: ClassVar = True
    WAITS_FOR: ClassVar = {"": "call_result"}
    CALLS: ClassVar = True

    type: Literal["call_api"]
    api: str = Field(min_length=1)
    """The name of an API call (`POST /v1/api-calls`)."""
    params: dict[str, Any] = Field(default_factory=dict)
    """What is sent: the query of a GET, else the JSON body. Merge tags give text, `{cel: …}` keeps the type."""
    while_waiting: WhileWaiting = "queue"
    """What becomes of the person's messages meanwhile: kept for later, ending the wait, or dropped."""
    response: Literal["envelope", "raw"] | None = None
    """What the answer is: an envelope (`responses`, `memory`, `user_attributes`, `quickreplies`), or any JSON. Left out: as
    the API call itself says it."""
    save: dict[str, str] = Field(default_factory=dict)
    """Of a `raw` answer: place → JMESPath of what is kept there."""
    timeout: Duration | None = None
    """After so long without an answer the node is left by `timeout`; left out: an hour."""

    @model_validator(mode="after")
    def _save_is_for_raw(self) -> CallApiModel:
        if self.save and self.response == "envelope":
            raise ValueError("`save` is for `response: raw`; an envelope is applied as it says")
        return self

    def build(self, compiler: Compiler) -> CallApiStep:
        compiler.refer("unknown-api-call", "API call", self.api, compiler.known.api_calls, "api")
        if self.api in (compiler.known.models or ()):
            compiler.problem("unknown-api-call", f"{self.api!r} is a language model: ask it by an `ai` node", "api")
        params = tuple((name, compiler.value(raw, "params", name)) for name, raw in self.params.items())
        save = tuple(
            (compiler.place(place, "save", place), compiler.json_path(source, "save", place))
            for place, source in self.save.items()
        )
        timeout = clock.duration(self.timeout) if self.timeout else LONGEST_WAIT
        response = "raw" if save else self.response
        return CallApiStep(self.api, params, self.while_waiting, response, save, timeout)

    def api_calls(self) -> tuple[str, ...]:
        return (self.api,)

    def lost_in(self, newer: Self) -> str | None:
        return None if self.api == newer.api else "other-call"


@dataclass(frozen=True, slots=True)
class CallApiStep(Step):
    """The running call."""

    IS_BOUNDED: ClassVar = True

    api: str
    params: tuple[tuple[str, Value], ...]
    while_waiting: WhileWaiting
    response: str | None
    """How the answer is read; None: as the API call itself says."""
    save: tuple[tuple[Place, JsonPath], ...]
    timeout: timedelta

    def enter(self, run: StepContext) -> Outcome:
        params = {name: value.of(run) for name, value in self.params}
        if json_size(params) > PARAMS_LIMIT:
            raise NodeError("params-too-large", f"the parameters of a call have at most {PARAMS_LIMIT} bytes")
        wait = run.wait("call", self.timeout, {"while_waiting": self.while_waiting})
        run.emit(CallApi(self.api, params, wait.token))
        return Rest(wait)

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        if happening.kind == "timer":
            return timed_out(self.api)
        result = happening.data
        if result.get("outcome") != "ok":
            return failed(result, self.api)
        if (self.response or result.get("response")) == "raw":
            for place, path in self.save:
                run.write(place, path.find(result.get("body"), run.work))
        else:
            envelope.apply(envelope.read(result.get("body"), result.get("status"), run.work), run)
        return Go("ok")
