"""What every trigger kind has: a model (what stands in a document) and a matcher (which events it takes)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints

from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel, NodeId
from flowlang.expressions.expression import Expression
from flowlang.model import Happening
from flowlang.work import Work

TriggerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]


class Precedence(IntEnum):
    """Who takes an event that several triggers would take, across all flows of a bot: the lower number.

    Only COMMAND comes before what the conversation waits for; all others take what nothing waits for. Among triggers of
    one kind those with a `when` come first, then the order of the flows' slugs, then the order in the document.
    """

    COMMAND = 1
    BUTTON = 2
    KEYWORD = 3
    EVENT = 4
    FIRST_MESSAGE = 5
    ANY_MESSAGE = 6
    NO_MATCH = 7


@dataclass(slots=True)  # Made for every message; a frozen one takes four times as long to make.
class Arrival:
    """An event that looks for a trigger, never changed. `work`: the turn's. `first_message`: the person has never written."""

    happening: Happening
    first_message: bool = False
    work: Work = field(default_factory=Work)


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that only one trigger of a bot may have.

    `name` is what is compared, `place` the field where it stands, `text` how a problem begins ("/start is a command"), `code` the
    problem's.
    """

    name: str
    place: str
    text: str
    code: str = "command-taken"


class Matcher:
    """A trigger that runs: immutable. As it is here, it takes every event of its kinds."""

    __slots__ = ()

    def names(self) -> tuple[str, ...]:
        """Under which names it stands in the index of its kind; see `TriggerModel.names_in`."""
        return ("",)

    def matches(self, arrival: Arrival) -> bool:
        """Whether it takes the event; the trigger's `when` is asked afterwards."""
        return True

    def content(self, arrival: Arrival) -> Any:
        """What the flow sees as `event.content`; None leaves the event as it is."""
        return None

    def wrong_variables(self, variables: dict[str, Any]) -> list[str]:
        """What is wrong with the variables of a program that starts the flow here: sentences."""
        return []


class TriggerModel(DocumentModel):
    """A trigger in a document."""

    TAKES: ClassVar[tuple[str, ...]]
    """Kinds of `model.Happening` that it may take."""
    PRECEDENCE: ClassVar[Precedence]
    IS_BOUNDED: ClassVar[bool] = False
    """Whether it looks at an event within a millisecond, but for what it has `arrival.work` begin; else see nodes.base.Step."""

    type: str
    """Which kind it is."""
    id: TriggerId
    """Its name in the flow: what the API calls an `entry`."""
    to: NodeId
    """The node where it enters."""
    when: str | None = None
    """A CEL expression: the trigger is passed by where it is not true."""

    @staticmethod
    def names_in(arrival: Arrival) -> tuple[str, ...]:
        """Names under which to look for triggers of this kind: those of the first name that has any are asked.

        A kind whose triggers differ by one word (commands) is found by it; all others stand under the empty name.
        """
        return ("",)

    def build(self, compiler: Compiler) -> Matcher:
        """The matcher; what is wrong goes to the compiler."""
        return Matcher()

    def words(self) -> int:
        """Words that a message is searched for."""
        return 0

    def claims(self) -> tuple[Claim, ...]:
        """Names that no other trigger of the bot may have."""
        return ()


@dataclass(frozen=True, slots=True)
class CompiledTrigger:
    """A way into a flow: to the node `to`, where `matcher` takes the event and `when` is true or not there."""

    id: str
    type: str
    to: str
    when: Expression | None
    matcher: Matcher
