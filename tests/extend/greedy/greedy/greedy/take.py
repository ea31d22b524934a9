"""`take`: all that there is of something."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import ClassVar, Literal

from flowlang.building.compiler import Compiler
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext


class TakeModel(NodeModel):
    """Take all of `what`."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["take"]
    what: Literal["cpu", "memory", "time", "life", "nothing"]

    def build(self, compiler: Compiler) -> Take:
        return Take(self.what)


@dataclass(frozen=True, slots=True)
class Take(Step):
    """The running node."""

    what: str

    def enter(self, run: StepContext) -> Outcome:
        if self.what == "cpu":
            while True:
                pass
        elif self.what == "memory":
            taken = [bytes(1 << 20)]
            while taken:
                taken.append(bytes(1 << 20))
        elif self.what == "time":
            time.sleep(60)
        elif self.what == "life":
            os.kill(os.getpid(), signal.SIGKILL)
        run.say(f"Took {self.what}.")
        return Go()
