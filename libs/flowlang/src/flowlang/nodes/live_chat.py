"""`live_chat`: agents answer the person, until one gives them back to the bot or none has answered in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.expressions.templates import Template
from flowlang.model import Happening
from flowlang.nodes.base import Go, NodeModel, Outcome, Rest, Step
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError


class LiveChatModel(NodeModel):
    """Hand the conversation to the agents' queue. The bot is silent until it has it again."""

    PORTS: ClassVar = ("closed", "timeout", "error")
    WAITS: ClassVar = True

    type: Literal["live_chat"]
    queue: str | None = Field(None, min_length=1, max_length=200)
    """What agents see of the matter, such as a department; may have merge tags."""
    text: str | None = Field(None, min_length=1)
    """What the person is told first; may have merge tags."""
    timeout: Duration | None = None
    """After so long without an agent who takes it over, or answers, the node is left by `timeout`."""

    def build(self, compiler: Compiler) -> LiveChat:
        return LiveChat(
            compiler.template(self.queue, "queue") if self.queue else None,
            compiler.template(self.text, "text") if self.text else None,
            clock.duration(self.timeout) if self.timeout else None,
        )


LONGEST_QUEUE = 200
"""Characters of a rendered `queue`."""


@dataclass(frozen=True, slots=True)
class LiveChat(Step):
    """The running node."""

    IS_BOUNDED: ClassVar = True

    queue: Template | None
    text: Template | None
    timeout: timedelta | None

    def enter(self, run: StepContext) -> Outcome:
        queue = self.queue.render(run)[:LONGEST_QUEUE] if self.queue else None
        if self.text:
            run.say(self.text.render(run))
        run.hand_to_agents(queue, self.timeout)
        return Rest(run.wait("agent"))

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        if happening.kind == "timer":
            return Go("timeout", error=NodeError("timeout", "no agent answered in time"))
        return Go("closed")
