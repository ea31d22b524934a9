"""`redirect`: make a tracked link, which leads elsewhere and tells that it was opened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from contracts.web_url import web_url
from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.expressions.templates import Template
from flowlang.expressions.values import Place
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError


class RedirectModel(NodeModel):
    """Keep a tracked link to `url` at `save_to`. Who opens it is sent on, and the event `redirect.followed` tells so, with the person
    and this node. It is for texts; a button of `say` has `track`."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["redirect"]
    url: str
    """Where it leads; may have merge tags."""
    expires_in: Duration | None = None
    """How long the link works."""
    save_to: str
    """The place where the link is kept."""

    def build(self, compiler: Compiler) -> Redirect:
        expires_in = clock.duration(self.expires_in) if self.expires_in else None
        return Redirect(compiler.link(self.url, "url"), expires_in, compiler.place(self.save_to, "save_to"))


@dataclass(frozen=True, slots=True)
class Redirect(Step):
    """The running step."""

    IS_BOUNDED: ClassVar = True

    url: Template
    expires_in: timedelta | None
    save_to: Place

    def enter(self, run: StepContext) -> Outcome:
        try:
            url = web_url(self.url.render(run))
        except ValueError as error:
            raise NodeError("url", f"url: {error}") from error
        run.write(self.save_to, run.redirect(url, self.expires_in))
        return Go()
