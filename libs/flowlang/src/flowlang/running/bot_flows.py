"""The published flows of a bot, and who takes an event: built once, whenever one is published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from flowlang.graph import Graph
from flowlang.problems import NodeError
from flowlang.triggers.base import Arrival, CompiledTrigger, Precedence, TriggerModel
from flowlang.triggers.registry import TRIGGER_KINDS

LookUp = Callable[[str, int], Graph | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A way into a flow."""

    graph: Graph
    trigger: CompiledTrigger


class _Way:
    """The entries of one trigger kind, in an index by the names of their matchers."""

    __slots__ = ("by_name", "is_bounded", "names_in")

    def __init__(self, kind: type[TriggerModel]) -> None:
        self.names_in, self.is_bounded = kind.names_in, kind.IS_BOUNDED
        self.by_name: dict[str, list[Entry]] = {}

    def add(self, entry: Entry) -> None:
        for name in entry.trigger.matcher.names():
            self.by_name.setdefault(name, []).append(entry)


def _takers(ways: Iterable[_Way], arrival: Arrival) -> Iterator[Entry]:
    for way in ways:
        if not (way.is_bounded or _may_pass(arrival)):
            continue
        for name in way.names_in(arrival):
            if entries := way.by_name.get(name):
                yield from (entry for entry in entries if entry.trigger.matcher.matches(arrival))
                break


def _may_pass(arrival: Arrival) -> bool:
    try:
        arrival.work.pass_gate()
    except NodeError:  # Ended before at this place: it takes no event.
        return False
    return True


class BotFlows:
    """`published`: each flow's current version. `look_up` finds older ones by (flow id, version), for who stands on them;

    None from it means that the version is gone for ever. Entries are ordered by the flow's slug and, in a flow, as they
    stand there; where several could take an event, those with a condition come first.
    """

    def __init__(self, published: Iterable[Graph], look_up: LookUp | None = None, *, at_once: bool = True) -> None:
        """Not `at_once`: whoever makes it goes through `putting_in_order` to its end before it is used."""
        graphs = sorted(published, key=lambda graph: graph.slug)
        self.versions = tuple((graph.flow_id, graph.version) for graph in graphs)
        """(flow id, version) of the published ones."""
        self._current = {graph.flow_id: graph for graph in graphs}
        self._by_slug = {graph.slug: graph for graph in graphs}
        self._look_up = look_up
        self._first: dict[str, list[_Way]] = {}
        self._then: dict[str, list[_Way]] = {}
        if at_once:
            for _ in self.putting_in_order():
                pass

    def putting_in_order(self) -> Iterator[None]:
        """Puts the ways into the flows in order, a flow after the other: a bot may have some hundred thousand of them."""
        used: dict[str, _Way] = {}
        for with_condition in (True, False):
            for graph in self._by_slug.values():
                for trigger in graph.triggers.values():
                    if (trigger.when is not None) is with_condition:
                        if trigger.type not in used:
                            used[trigger.type] = _Way(TRIGGER_KINDS[trigger.type])
                        used[trigger.type].add(Entry(graph, trigger))
                yield
        for kind, model in sorted(TRIGGER_KINDS.items(), key=lambda item: (item[1].PRECEDENCE, item[0])):
            ways = self._first if model.PRECEDENCE == Precedence.COMMAND else self._then
            for happening in model.TAKES if kind in used else ():
                ways.setdefault(happening, []).append(used[kind])

    def current(self, flow_id: str) -> Graph | None:
        """The version that new sessions start on."""
        return self._current.get(flow_id)

    def by_slug(self, slug: str) -> Graph | None:
        """The current version of the flow with this slug."""
        return self._by_slug.get(slug)

    def graph(self, flow_id: str, version: int) -> Graph | None:
        """A certain version, for a session that stands on it."""
        current = self._current.get(flow_id)
        if current is not None and current.version == version:
            return current
        return self._look_up(flow_id, version) if self._look_up else None

    def listen_to(self, kind: str, name: str | None = None) -> bool:
        """Whether a trigger may take events of this kind of Happening; `name`: by that name."""
        if name is None:
            return kind in self._first or kind in self._then
        return any(name in way.by_name for way in (*self._first.get(kind, ()), *self._then.get(kind, ())))

    def before_what_waits(self, arrival: Arrival) -> Iterable[Entry]:
        """Entries for an event that go before a question of the session: commands."""
        ways = self._first.get(arrival.happening.kind)
        return _takers(ways, arrival) if ways else ()

    def after_what_waits(self, arrival: Arrival) -> Iterable[Entry]:
        """Entries for an event that nothing waits for, in the order of their precedence."""
        ways = self._then.get(arrival.happening.kind)
        return _takers(ways, arrival) if ways else ()

    def takers(self, arrival: Arrival) -> Iterable[Entry]:
        """All entries for an event, in the order of their precedence."""
        return chain(self.before_what_waits(arrival), self.after_what_waits(arrival))
