"""What a worker process does: it keeps flow versions, and makes steps of the interpreter with them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from contracts.registry import OptOut
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.making import KeptNodes
from flowlang.graph import Graph
from flowlang.language.compile import compile_flow
from flowlang.model import Contact, Conversation, Happening, RunCode, Tools, Turn
from flowlang.problems import NodeError
from flowlang.running.bot_flows import BotFlows
from flowlang.running.interpreter import step
from flowlang.segments.filter import SegmentFilter
from flowlang.segments.kept import KeptFilters

TARGET = f"{__name__}:make"
MOST_GRAPHS, MOST_BOTS = 128, 32
"""Versions that a worker keeps, and bots whose triggers it keeps in order."""
MOST_GRAPH_BYTES = 32 << 20
"""Bytes of JSON of these versions."""
MOST_MADE_BYTES = 2 << 20
"""Of their nodes that are ready to run: these take fifty times as much, where all are programs."""
MADE_AT_ONCE = 200_000
"""Units of work (flowlang.work) to make parts of flows ready that one step may take: half of the CPU that it may have."""

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
    opt_out: OptOut | None = None
    segments: Mapping[str, str | None] = {}
    """Filters of the project's segments, by their names, as far as the step has asked for them; None: there is no such segment."""


class Learn(NamedTuple):
    """Keep this version, the JSON of its contracts.registry.FlowVersion. The others of `published` are kept meanwhile,
    however many they are."""

    published: tuple[Version, ...]
    version: Version
    data: bytes


class Unknown(NamedTuple):
    """The step needs versions that are not here: have them learnt, and make it again; with the filter of `segment`."""

    versions: tuple[Version, ...]
    segment: str | None = None


class Again(NamedTuple):
    """The step has made as much of its flows ready as it may in one go: have it made again, which goes on from there."""


class _MadeMuch(BaseException):
    """As much as one step may was made ready. No node has to do with it, so none catches it."""


class _NotHere(BaseException):
    """A session stands on a version that is not here. No node has to do with it, so none catches it."""

    def __init__(self, version: Version) -> None:
        super().__init__(version)
        self.version = version


class _SegmentNotHere(BaseException):
    """A condition asks for a segment that is not here. No node has to do with it, so none catches it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def make(links: LinkMaker) -> StepWorker:
    """The target of servicekit.workers."""
    return StepWorker(links)


class StepWorker:
    """A servicekit.workers.worker.Do. Stateless but for the flows that it keeps: each step begins with its event."""

    def __init__(self, links: LinkMaker) -> None:
        self._links = links
        self._graphs: OrderedDict[Version, Graph] = OrderedDict()
        self._bots: OrderedDict[tuple[Version, ...], BotFlows] = OrderedDict()
        self._gone: frozenset[Version] = frozenset()
        self._sizes: dict[Version, int] = {}
        self._kept = KeptNodes(MOST_MADE_BYTES, MOST_MADE_BYTES // 2)
        self._filters = KeptFilters()

    def __call__(self, task: Step | Learn, progress: Callable[[], None]) -> Turn | RunCode | Unknown | Again | None:
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
        except _SegmentNotHere as error:
            return Unknown((), error.name)
        except _MadeMuch:
            return Again()

    def _learn(self, task: Learn) -> None:
        graph = self._graphs[task.version] = compile_flow(task.data)
        self._kept.watch(graph)
        self._sizes[task.version] = len(task.data)
        surplus, size = len(self._graphs) - MOST_GRAPHS, sum(self._sizes.values())
        if surplus <= 0 and size <= MOST_GRAPH_BYTES:
            return
        published = frozenset(task.published)
        for old in [one for one in self._graphs if one not in published]:
            if surplus <= 0 and size <= MOST_GRAPH_BYTES:
                break
            surplus, size = surplus - 1, size - self._sizes.pop(old)
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
        return Tools(
            self._links.for_bot(project, bot), task.bot, task.channel, project, gate, _making(), task.opt_out,
            partial(self._filter, task.segments),
        )  # fmt: skip

    def _filter(
        self, segments: Mapping[str, str | None], name: str, make: Callable[[int], None]
    ) -> SegmentFilter | None:
        if name not in segments:
            raise _SegmentNotHere(name)
        source = segments[name]
        return None if source is None else self._filters.filter(source, make)


def _making() -> Callable[[int], None]:
    left = MADE_AT_ONCE

    def make(units: int) -> None:
        nonlocal left
        if units > left and left < MADE_AT_ONCE:  # The first part may be as large as it is.
            raise _MadeMuch
        left -= units

    return make


def _gate(refusal: Refusal | None, progress: Callable[[], None]) -> Callable[[], None]:
    count = 0

    def pass_gate() -> None:
        nonlocal count
        count += 1
        if refusal is not None and count >= refusal.part:
            raise NodeError(refusal.type, refusal.detail)
        progress()

    return pass_gate
