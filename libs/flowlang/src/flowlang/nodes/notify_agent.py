"""`notify_agent`: tell the agents something about the person. The flow goes on at once, and the bot goes on answering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.templates import Template
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext

LONGEST_TEXT = 4096
"""Characters of what agents are told."""


class NotifyAgentModel(NodeModel):
    """Tell the agents, by the event `agent.notified`."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["notify_agent"]
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    """What they are told; may have merge tags."""

    def build(self, compiler: Compiler) -> NotifyAgent:
        return NotifyAgent(compiler.template(self.text, "text"))


@dataclass(frozen=True, slots=True)
class NotifyAgent(Step):
    """The running step."""

    IS_BOUNDED: ClassVar = True

    text: Template

    def enter(self, run: StepContext) -> Outcome:
        run.emit_event("agent.notified", {"text": self.text.render(run)[:LONGEST_TEXT]})
        return Go()
