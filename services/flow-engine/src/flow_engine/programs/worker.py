"""What a worker process does: it keeps flow versions, compiled, and makes steps of the interpreter with them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from contracts.registry import FlowVersion
from flow_engine.catalogue.links import LinkMaker
from flowlang.graph import Graph
from flowlang.language.compile import compile_flow
from flowlang.model import Contact, Conversation, Happening, RunCode, Tools, Turn
from flowlang.problems import NodeError
from flowlang.running.bot_flows import BotFlows
from flowlang.running.interpreter import step

TARGET = f"{__name__}:make"
MOST_GRAPHS, MOST_BOTS = 128, 32
"""Compiled versions that a worker keeps, and bots whose triggers it keeps in order."""

Version = tuple[str, int]
"""(flow id, number)"""


class Refusal(NamedTuple):
    """From the so manieth part of the step on, which is counted from 1, nothing begins."""

    part: int
    type: str
    detail: str


class Step(NamedTuple):
    """One event, from its first node on. `results` are those of the code nodes that it has come to, in their order."""

    published: tuple[Version, ...]
    """The bot's flows, each in its current version."""
    gone: frozenset[Version]
    """Versions that were deleted."""
    bot: dict[str, Any]
    channel: dict[str, Any]
    conversation: Conversation
    contact: Contact
    happening: Happening
    results: tuple[dict[str, Any], ...] = ()
    refusal: Refusal | None = None


class Learn(NamedTuple):
    """Compile this version. The others of `published` are kept meanwhile, however many they are."""

    published: tuple[Version, ...]
    version: FlowVersion


class Unknown(NamedTuple):
    """The step needs versions that are not here: have them learnt, and make it again."""

    versions: tuple[Version, ...]


class _NotHere(BaseException):
    """A session stands on a version that is not here. No node has to do with it, so none catches it."""

    def __init__(self, version: Version) -> None:
        super().__init__(version)
        self.version = version


def make(links: LinkMaker) -> StepWorker:
    """The target of servicekit.workers."""
    return StepWorker(links)


class StepWorker:
    """A servicekit.workers.worker.Do. Stateless but for what it has compiled: each step begins with its event."""

    def __init__(self, links: LinkMaker) -> None:
        self._links = links
        self._graphs: OrderedDict[Version, Graph] = OrderedDict()
        self._bots: OrderedDict[tuple[Version, ...], BotFlows] = OrderedDict()
        self._gone: frozenset[Version] = frozenset()

    def __call__(self, task: Step | Learn, progress: Callable[[], None]) -> Turn | RunCode | Unknown | None:
        """A finished turn, the code that it waits for, or what it lacks. Raises what user code cannot cause."""
        if isinstance(task, Learn):
            self._learn(task)
            return None
        flows = self._flows(task.published)
        if isinstance(flows, Unknown):
            return flows
        self._gone = task.gone
        try:
            return self._step(task, flows, _gate(task.refusal, progress))
        except _NotHere as error:
            return Unknown((error.version,))

    def _learn(self, task: Learn) -> None:
        version = task.version
        self._graphs[version.flow_id, version.version] = compile_flow(version)
        for old in [one for one in self._graphs if one not in task.published][
            : max(0, len(self._graphs) - MOST_GRAPHS)
        ]:
            del self._graphs[old]

    def _flows(self, published: tuple[Version, ...]) -> BotFlows | Unknown:
        flows = self._bots.get(published)
        if flows is None:
            missing = tuple(version for version in published if version not in self._graphs)
            if missing:
                return Unknown(missing)
            flows = self._bots[published] = BotFlows([self._graphs[version] for version in published], self._older)
            if len(self._bots) > MOST_BOTS:
                self._bots.popitem(last=False)
        self._bots.move_to_end(published)
        return flows

    def _step(self, task: Step, flows: BotFlows, gate: Callable[[], None]) -> Turn | RunCode:
        tools = self._tools(task, gate)
        turn = step(flows, task.conversation, task.contact, task.happening, tools)
        for result in task.results:
            answer = replace(task.happening, kind="code_result", data=result)
            turn = step(flows, turn.conversation, turn.contact, answer, tools)
        return turn.code or turn

    def _older(self, flow_id: str, number: int) -> Graph | None:
        """A version that is not published any more, for a session that stands on it."""
        version = (flow_id, number)
        if version in self._gone:
            return None
        graph = self._graphs.get(version)
        if graph is None:
            raise _NotHere(version)
        self._graphs.move_to_end(version)
        return graph

    def _tools(self, task: Step, gate: Callable[[], None]) -> Tools:
        project, bot = task.conversation.project_id, task.conversation.bot_id
        return Tools(self._links.for_bot(project, bot), task.bot, task.channel, project, gate)


def _gate(refusal: Refusal | None, progress: Callable[[], None]) -> Callable[[], None]:
    count = 0

    def pass_gate() -> None:
        nonlocal count
        count += 1
        if refusal is not None and count >= refusal.part:
            raise NodeError(refusal.type, refusal.detail)
        progress()

    return pass_gate
