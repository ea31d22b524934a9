"""`code`: Python in a sandbox. The engine runs it.

`send` and `run` only collect, and what they collected is done when it succeeded: failed code has done nothing.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.values import Place
from flowlang.model import Happening, RunCode, RunCommand
from flowlang.nodes.base import Code as Pause
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

LONGEST_SOURCE = 16_000


class CodeModel(NodeModel):
    """Run `source`. It sees content, content_raw, options, user, memory, bot, event; send, run, url_for, fail.

    The value of its last expression is kept at `save_to`.
    """

    PORTS: ClassVar = ("next", "error")

    type: Literal["code"]
    source: str = Field(min_length=1, max_length=LONGEST_SOURCE)
    """The program: a part of Python, run in a sandbox."""
    save_to: str | None = None
    """The place where the value of its last expression is kept."""

    def build(self, compiler: Compiler) -> Code:
        if not compiler.later:  # The sandbox parses it whenever it runs.
            _check(self.source, compiler)
        return Code(self.source, compiler.place(self.save_to, "save_to") if self.save_to else None)


def _check(source: str, compiler: Compiler) -> None:
    try:
        ast.parse(source)
    except SyntaxError as error:
        compiler.problem("code", f"line {error.lineno}: {error.msg}", "source")
    except (ValueError, RecursionError, MemoryError):
        compiler.problem("code", "the code is nested too deeply", "source")


@dataclass(frozen=True, slots=True)
class Code(Step):
    """The running code."""

    IS_BOUNDED: ClassVar = True

    source: str
    save_to: Place | None

    def enter(self, run: StepContext) -> Outcome:
        event = run.scope("event")
        inputs = {
            "content": event.get("content"),
            "content_raw": event.get("content_raw", ""),
            "options": event.get("options") or {},
            "user": run.scope("user"),
            "memory": None if run.nobody else run.scope("memory"),
            "bot": run.scope("bot"),
            "event": event,
        }
        wait = run.wait("code")
        seed = f"{run.happening.id}/{wait.token}"
        return Pause(wait, RunCode(wait.token, self.source, inputs, run.now, seed))

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        result = happening.data
        if not result.get("ok"):
            return Go("error", error=NodeError("code", result.get("error") or "the code failed"))
        for text in result.get("sent") or ():
            if text:
                run.say(text)
        for command in result.get("runs") or ():
            run.emit(_run_command(command, run))
        if self.save_to:
            run.write(self.save_to, result.get("value"))
        return Go()


def _run_command(asked: dict[str, Any], run: StepContext) -> RunCommand:
    return RunCommand(asked["command"], run.person(asked.get("user_id")), asked.get("content"))
