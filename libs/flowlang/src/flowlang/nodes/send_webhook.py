"""`send_webhook`: tell a URL that the step was reached. It is sent in its own time; the flow goes on at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.templates import Template
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext


class SendWebhookModel(NodeModel):
    """Post what happened, with the person as of this step, signed with the project's secret."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["send_webhook"]
    title: str = Field(min_length=1, max_length=500)
    """What the webhook is called; may have merge tags."""
    url: str
    """Where it is posted; may have merge tags."""
    format: Literal["switchhook", "sendpulse", "sendpulse_legacy"] = "switchhook"
    """The form of the body: ours, or one of the two that SendPulse has."""

    def build(self, compiler: Compiler) -> SendWebhook:
        return SendWebhook(compiler.template(self.title, "title"), compiler.url(self.url, "url"), self.format)


@dataclass(frozen=True, slots=True)
class SendWebhook(Step):
    """The running step."""

    IS_BOUNDED: ClassVar = True

    title: Template
    url: Template
    format: str

    def enter(self, run: StepContext) -> Outcome:
        run.post_webhook(self.title.render(run), self.url.render(run), self.format)
        return Go()
