"""What every node type has: a model (what stands in a document), a build (its check) and a step (what it does)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel, NodeId
from flowlang.model import Happening, RunCode, Wait
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError


class Report(DocumentModel):
    """A webhook about this node. `when`: reached, answered, or the id of an option or button."""

    title: str = Field(max_length=200)
    """What the webhook is called."""
    url: str
    """Where it is posted; may have merge tags."""
    format: Literal["switchhook", "sendpulse", "sendpulse_legacy"] = "switchhook"
    """The form of the body: ours, or one of the two that SendPulse has."""
    when: str = "reached"
    """`reached`, `answered`, or the id of an option or button of the node."""


@dataclass(slots=True)  # Made at every step, and never changed; a frozen one takes four times as long to make.
class Go:
    """Leave by a port. `answered`: the option that was chosen, or `answered`. `error`: why it is an error's port. `trace`: what the
    trace of the turn says beside that."""

    port: str = "next"
    answered: str | None = None
    error: NodeError | None = None
    trace: dict[str, Any] | None = None


@dataclass(slots=True)
class To:
    """Go to a node that the document names outside the ports (an option, a branch)."""

    node: str
    answered: str | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """The session waits here. `trace`: what the trace of the turn says beside that."""

    wait: Wait
    trace: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Jump:
    """Go on in another flow of the bot, by its slug; without a node at its start."""

    flow: str
    node: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """Go through another flow of the bot, by its slug, with this memory; without a node from its start. When it has come to its
    end, the node is resumed with `returned`. What failed in it, and no port of it took, leaves the node by `error`."""

    flow: str
    node: str | None
    memory: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Return:
    """The path ends, and this goes back to who called the flow."""

    port: str = "next"
    value: Any = None


@dataclass(frozen=True, slots=True)
class Code:
    """The turn pauses until this code ran."""

    wait: Wait
    request: RunCode


@dataclass(frozen=True, slots=True)
class End:
    """The path ends here."""


Outcome = Go | To | Rest | Jump | Call | Return | Code | End


class Step:
    """A node that runs. Immutable; what changes is in `run`."""

    __slots__ = ()
    IS_BOUNDED: ClassVar[bool] = False
    """Whether it ends within a millisecond whatever it is given, but for what it has `run.work` begin.

    One that does not say so runs in a process that can be ended.
    """

    def enter(self, run: StepContext) -> Outcome:
        """The session comes to the node. Raises NodeError: it leaves by its error port."""
        raise NotImplementedError

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        """What the node waited for has happened. Raises NodeError, always where a step never rests."""
        raise NodeError("not-waiting", "this node waits for nothing")


SAME, ANY = "same", "any"


@dataclass(frozen=True, slots=True)
class Edge:
    """A way to a node: where it stands in the node, and whether the same turn may take it."""

    to: str
    place: tuple[str | int, ...]
    same_turn: bool = True
    events: tuple[str, ...] = (SAME,)
    """What `event` may be behind it: kinds of happenings (flowlang.model.Happening), SAME as before, or ANY."""


class NodeModel(DocumentModel):
    """A node in a document."""

    PORTS: ClassVar[tuple[str, ...]] = ("next",)
    OTHER_PORTS: ClassVar[bool] = False
    """Whether `ports` may have names beside PORTS."""
    WAITS: ClassVar[bool] = False
    """Whether a session rests here until something happens, so that a cycle through it is harmless."""
    WAITS_FOR: ClassVar[Mapping[str, str]] = {}
    """Of one that waits: port → kind of the happening by which it is left there, "" for all other ports. The author is told where
    something behind it reads what an earlier event had. Empty: not known."""
    CALLS: ClassVar[bool] = False
    """Whether it asks another program, which may fail: the author is told where neither the node nor the flow says what then."""

    type: str
    """Which node it is."""
    ports: dict[str, NodeId] = Field(default_factory=dict)
    """Where each way out leads: port → node. A port that is left out ends the path."""
    push_profile: bool = False
    """Tell the outside (the event `profile.pushed`) who the person is, once the node is reached."""
    report: Report | None = None
    """A webhook about this node."""

    def build(self, compiler: Compiler) -> Step:
        """The step; what is wrong goes to the compiler."""
        raise NotImplementedError

    def edges(self) -> Iterator[Edge]:
        """All ways out of the node."""
        for port, to in self.ports.items():
            yield Edge(to, ("ports", port), events=self.events_behind(port))

    def events_behind(self, port: str = "") -> tuple[str, ...]:
        """What `event` may be where the node is left by this port. An `error` may come before anything is waited for."""
        if not self.WAITS:
            return (SAME,)
        kind = self.WAITS_FOR.get(port) or self.WAITS_FOR.get("", ANY)
        return (SAME, kind) if port == "error" else (kind,)

    def later_targets(self) -> dict[str, str]:
        """Button id to node: where a later tap leads."""
        return {}

    def needs_port(self) -> str | None:
        """The port that it would hardly be meant to do without, where it is not drawn; the author is told."""
        return None

    def api_calls(self) -> tuple[str, ...]:
        """Names of the API calls that it makes: the API shows which published flows use a call."""
        return ()

    def secrets_sent(self) -> tuple[tuple[str, str], ...]:
        """(name, URL) of the secrets that it sends along: from the publish on they may go to the host of that URL."""
        return ()

    def report_moments(self) -> tuple[str, ...]:
        """What `report.when` may be here."""
        return ("reached",)

    def lost_in(self, newer: Self) -> str | None:
        """What somebody who waits at this node, or has its buttons before them, would lose if `newer` stood in its place, a node of
        the same type in another version of the flow; None: nothing. See `flowlang.running.migration.REASONS`."""
        return None if self.later_targets().keys() <= newer.later_targets().keys() else "other-options"


def answer_names(options: Any) -> tuple[str, ...]:
    """Moments of a report on a node with options or buttons."""
    return ("reached", "answered", *(option.id for option in options))
