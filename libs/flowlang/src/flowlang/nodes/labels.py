"""`tag` and `flag`: put labels on a person and take them off. Tags are for people, flags for other systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from flowlang.building.compiler import Compiler
from flowlang.expressions.templates import Template
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

LONGEST_LABEL = 64
LabelText = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _LabelModel(NodeModel):
    PORTS: ClassVar = ("next", "error")

    add: tuple[LabelText, ...] = Field(default=(), max_length=20)
    """What is put on the person; may have merge tags."""
    remove: tuple[LabelText, ...] = Field(default=(), max_length=20)
    """What is taken off."""

    def build(self, compiler: Compiler) -> Label:
        if not self.add and not self.remove:
            compiler.problem("nothing-to-do", "name at least one to `add` or `remove`")
        add = tuple(compiler.template(label, "add", index) for index, label in enumerate(self.add))
        remove = tuple(compiler.template(label, "remove", index) for index, label in enumerate(self.remove))
        return Label("flags" if self.type == "flag" else "tags", add, remove)


class TagModel(_LabelModel):
    """Add and remove tags."""

    type: Literal["tag"]


class FlagModel(_LabelModel):
    """Assign and remove flags."""

    type: Literal["flag"]


@dataclass(frozen=True, slots=True)
class Label(Step):
    """`kind` is tags or flags."""

    IS_BOUNDED: ClassVar = True

    kind: Literal["tags", "flags"]
    add: tuple[Template, ...]
    remove: tuple[Template, ...]

    def enter(self, run: StepContext) -> Outcome:
        for template in self.add:
            run.label(self.kind, _label(template, run), put=True)
        for template in self.remove:
            run.label(self.kind, _label(template, run), put=False)
        return Go()


def _label(template: Template, run: StepContext) -> str:
    label = template.render(run).strip()
    if not 1 <= len(label) <= LONGEST_LABEL:
        raise NodeError("label", f"a tag or flag has 1 to {LONGEST_LABEL} characters ({template.source[:60]!r})")
    return label
