"""Flows, bots, channels and API calls out of the registry view. Bots' flows are read on first use, and kept."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec
import orjson
import structlog

from channels.discovery import installed
from contracts.ids import conversation_key, split_conversation_key
from contracts.registry import ApiCall, Bot, Channel, Flow, Segment, Trigger
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.making import KeptNodes, MayMake
from flow_engine.catalogue.port import Retired, Surroundings
from flow_engine.errors import UnknownVersion
from flowlang.graph import Graph
from flowlang.language.compile import compile_flow
from flowlang.model import Conversation, Tools
from flowlang.problems import FlowInvalid
from flowlang.running.bot_flows import BotFlows
from flowlang.segments.filter import SegmentFilter
from flowlang.segments.kept import KeptFilters
from flowlang.work import elsewhere
from flowtools.channel_facts import NOTHING, facts_of
from servicekit.loop.batches import Infrastructure
from servicekit.registry_view.stamps import Stamp
from servicekit.registry_view.view import RegistryView

MOST_CHANNELS = 4096
"""Channels whose surroundings are kept."""
MOST_KNOWN = 100_000
"""Flows and channels whose bot is remembered."""
MOST_BOTS = 4096
"""Bots whose flows are kept."""
SLICE_SECONDS = 0.005
"""After so long at reading a bot's flows, other tasks have their turns."""
_CHANGES = frozenset({"bot", "channel", "flow", "flow_version"})

log = structlog.get_logger()


class _State(msgspec.Struct):
    ended: bool = False


_state = msgspec.json.Decoder(_State)
"""What is read of a version before its document is."""


class _Known(NamedTuple):
    """The flows of a bot, as they are where these versions are published."""

    versions: tuple[tuple[str, int], ...]
    flows: BotFlows


class RegistryCatalogue:
    """catalogue.port.Catalogue over the registry view."""

    def __init__(self, view: RegistryView, links: LinkMaker, *, compiled_flows: int = 256) -> None:
        self._view, self._links, self._most_graphs = view, links, compiled_flows
        self._graphs: OrderedDict[tuple[str, int], Graph] = OrderedDict()
        self._around: OrderedDict[tuple[str, str], Surroundings] = OrderedDict()
        self._bots: OrderedDict[str, _Known] = OrderedDict()
        self._kept, self._may_make = KeptNodes(), MayMake()
        self._filters = KeptFilters()
        self._retired: dict[str, Retired] = {}
        self._bot_of: dict[str, str] = {}
        """Of the flows and channels that surroundings were made of: a deleted one does not say it any more."""
        self._connectors = installed()
        self._in_house = frozenset(name for name, connector in self._connectors.items() if connector.in_house)
        view.on_change(self._changed)

    def _changed(self, kind: str, id: str, model: Any) -> None:
        """Forget what was made of it, and of nobody else's: who changes his bot all the time has others' made anew else."""
        if kind not in _CHANGES:
            return
        entity, _, number = id.partition("/")
        if kind == "flow_version" and number.isdecimal():
            self._graphs.pop((entity, int(number)), None)
        bots = {entity, self._bot_of.get(entity), getattr(model, "bot_id", None)}
        for place in [place for place in self._around if place[0] in bots]:
            del self._around[place]

    async def knows(self, stamps: Collection[Stamp], timeout: float) -> bool:
        return await self._view.knows(stamps, timeout)

    async def prepare(self, conversations: Iterable[Conversation]) -> None:
        for conversation in conversations:
            if (conversation.bot_id, conversation.channel_id) not in self._around:
                began = time.perf_counter()
                for _ in self._reading(conversation.bot_id):
                    if time.perf_counter() - began > SLICE_SECONDS:
                        await asyncio.sleep(0)
                        began = time.perf_counter()

    def around(self, conversation: Conversation) -> Surroundings:
        place = (conversation.bot_id, conversation.channel_id)
        known = self._around.get(place)
        if known is None:
            if len(self._bot_of) > MOST_KNOWN:
                self._around.clear()
                self._bot_of.clear()
            self._bot_of[conversation.channel_id] = conversation.bot_id
            known = self._around[place] = self._made(conversation)
            if len(self._around) > MOST_CHANNELS:
                self._around.popitem(last=False)
        return known

    def _made(self, conversation: Conversation) -> Surroundings:
        project_id, bot_id = conversation.project_id, conversation.bot_id
        bot: Bot | None = self._view.get("bot", bot_id)
        channel: Channel | None = self._view.get("channel", conversation.channel_id)
        channel_type = channel.type if channel else conversation.channel_type
        shown_bot = {"id": bot_id, "name": bot.name if bot else None}
        shown_channel = {"id": conversation.channel_id, "type": channel_type or None}
        tools = Tools(
            self._links.for_bot(project_id, bot_id),
            shown_bot | {"variables": bot.variables if bot else {}},
            {**shown_channel, "name": channel.name if channel else None, **self._facts(channel_type)},
            project_id,
            elsewhere,
            partial(self._may_make, project_id),
            bot.opt_out if bot else None,
            partial(self._filter, project_id),
        )
        return Surroundings(self.flows_of(bot_id), tools, _encoded(shown_bot), _encoded(shown_channel), self._in_house)

    def _facts(self, channel_type: str) -> Mapping[str, Any]:
        """What a message of the channel may be."""
        connector = self._connectors.get(channel_type)
        return facts_of(connector) if connector is not None else NOTHING

    def flows_of(self, bot_id: str) -> BotFlows:
        """The published flows of a bot."""
        for _ in self._reading(bot_id):
            pass
        return self._bots[bot_id].flows

    def _reading(self, bot_id: str) -> Iterator[None]:
        """Has the flows of a bot in `_bots` at its end; a step takes some milliseconds at most."""
        flows: list[Flow] = self._view.find_all("flow", "bot_id", bot_id)
        self._bot_of.update(dict.fromkeys((flow.id for flow in flows), bot_id))
        versions = tuple((flow.id, flow.published) for flow in flows if flow.published is not None)
        self._refuse_retired(versions)
        before = self._bots.get(bot_id)
        if before is not None and before.versions == versions:
            return
        current: list[Graph] = []
        for flow in flows:
            if flow.published is not None and (graph := self._published(flow, before)) is not None:
                current.append(graph)
            yield
        there = tuple((graph.flow_id, graph.version) for graph in current)
        made = BotFlows(current, partial(self._graph), at_once=False)
        yield from made.putting_in_order()
        self._bots[bot_id] = _Known(there, made)
        if len(self._bots) > MOST_BOTS:
            self._bots.popitem(last=False)

    def _refuse_retired(self, versions: Iterable[tuple[str, int]]) -> None:
        for id, number in versions:
            retired = self._retired.get(id)
            if retired and (self.generation, number) <= retired:
                raise Infrastructure(f"the registry view is behind: version {number} of flow {id} is retired")

    def _published(self, flow: Flow, before: _Known | None) -> Graph | None:
        """The version that new sessions start on. One that cannot run is as good as none, for new sessions."""
        known = before.flows.current(flow.id) if before else None
        if known is not None and known.version == flow.published:
            return known
        try:
            return self._graph(flow.id, flow.published or 0)
        except (FlowInvalid, UnknownVersion) as error:
            log.error("flow.cannot_run", flow=flow.id, version=flow.published, error=str(error))
            return None

    @property
    def generation(self) -> int:
        return self._view.generation

    def retire(self, retired: Mapping[str, Retired]) -> None:
        if retired != self._retired:
            self._retired = dict(retired)
            self._around.clear()

    def retired(self) -> Iterator[tuple[str, int]]:
        alive = set(self._view.ids("flow"))
        for id in self._view.ids("flow_version"):
            flow_id, _, number = id.partition("/")
            flow: Flow | None = self._view.get("flow", flow_id) if flow_id in alive else None
            if flow_id not in alive or (flow is not None and int(number) <= flow.retired):
                yield flow_id, int(number)

    def _graph(self, flow_id: str, number: int) -> Graph | None:
        """None for a version that was deleted or ended. Raises UnknownVersion for one that is not here: that may change."""
        graph = self._graphs.get((flow_id, number))
        if graph is None:
            data = self.flow_data(flow_id, number)
            if data is None:
                return None
            graph = self._graphs[(flow_id, number)] = compile_flow(data)
            self._kept.watch(graph)
            if len(self._graphs) > self._most_graphs:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end((flow_id, number))
        return graph

    def flow_data(self, flow_id: str, number: int) -> bytes | None:
        id = f"{flow_id}/{number}"
        data = self._view.data("flow_version", id)
        if data is None and not self._view.deleted("flow_version", id):
            raise UnknownVersion(f"flow version {id} is not in the registry")
        return None if data is None or _state.decode(data).ended else data

    def api_call(self, project_id: str, name: str) -> ApiCall | None:
        found: ApiCall | None = self._view.find("api_call", "name", (project_id, name))
        return found

    def segment(self, project_id: str, name: str) -> str | None:
        found: Segment | None = self._view.find("segment", "name", (project_id, name))
        return found.filter if found else None

    def _filter(self, project_id: str, name: str, make: Callable[[int], None]) -> SegmentFilter | None:
        source = self.segment(project_id, name)
        return None if source is None else self._filters.filter(source, make)

    def is_deleted(self, kind: str, id: str) -> bool:
        return self._view.deleted(kind, id)

    def channel_for(self, body: Any) -> str | None:
        asked = body.person.channel_id if body.person else None
        trigger: Trigger | None = (
            self._view.get("trigger", body.trigger_id) if getattr(body, "trigger_id", None) else None
        )
        return asked or (trigger.channel_id if trigger else None)

    def peer_keys(self, body: Any) -> list[str]:
        person = getattr(body, "person", None)
        if person is None or (peer_id := person.peer_id) is None:
            return []
        channels: list[Channel] = self._view.find_all("channel", "bot_id", body.bot_id)
        try:
            return [conversation_key(body.bot_id, channel.id, peer_id) for channel in channels]
        except ValueError:
            return []

    def channel_type(self, key: str) -> str | None:
        channel: Channel | None = self._view.get("channel", split_conversation_key(key)[1])
        return channel.type if channel else None


def _encoded(shown: dict[str, Any]) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps({name: value for name, value in shown.items() if value is not None}))
