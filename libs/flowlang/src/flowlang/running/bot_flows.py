"""The published flows of a bot, and who takes a message: built once, whenever one is published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from flowlang.graph import CompiledTrigger, Graph

LookUp = Callable[[str, int], Graph | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A way into a flow."""

    graph: Graph
    trigger: CompiledTrigger


class BotFlows:
    """`published`: each flow's current version. `look_up` finds older ones by (flow id, version), for who stands on them;

    None from it means that the version is gone for ever. Entries are ordered by the flow's slug and, in a flow, as they
    stand there; where several could take a message, those with a condition come first.
    """

    def __init__(self, published: Iterable[Graph], look_up: LookUp | None = None) -> None:
        graphs = sorted(published, key=lambda graph: graph.slug)
        self._current = {graph.flow_id: graph for graph in graphs}
        self._by_slug = {graph.slug: graph for graph in graphs}
        self._look_up = look_up
        entries = [Entry(graph, trigger) for graph in graphs for trigger in graph.triggers.values()]
        entries.sort(key=lambda entry: entry.trigger.when is None)
        self._commands: dict[tuple[str, str], list[Entry]] = {}
        self._by_type: dict[str, list[Entry]] = {}
        for entry in entries:
            self._by_type.setdefault(entry.trigger.type, []).append(entry)
            for origin in entry.trigger.origins:
                self._commands.setdefault((origin, entry.trigger.value), []).append(entry)

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

    def chat_commands(self, word: str) -> list[Entry]:
        """Entries for a command that a person typed."""
        return self._commands.get(("chat", word.casefold()), [])

    def url_commands(self, word: str) -> list[Entry]:
        """Entries for a command that a generated URL runs: its own kind, then those of the chat."""
        return self._commands.get(("url", word.casefold()), []) or self.chat_commands(word)

    def keywords(self, text: str) -> Iterator[Entry]:
        """Entries whose words are in the text."""
        for entry in self._by_type.get("keyword", ()):
            if any(pattern.search(text) for pattern in entry.trigger.patterns):
                yield entry

    def of_type(self, type: str) -> list[Entry]:
        """Entries of triggers that need no look at the text."""
        return self._by_type.get(type, [])
