"""What the registry view knows, read by use: a look-up that misses lets the view catch up once, then decides."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from channels.discovery import Connectors
from contracts.registry import Bot, Channel, Flow, FlowVersion, Project, Trigger
from ingress.intake.rate_limits import Limits, limits_of
from ingress.lookup.variables import Accepts, accepts_of
from ingress.ports import View
from ingress.wire.problems import unpublished
from servicekit.web.auth import CATCH_UP_PAUSE, Paced
from servicekit.web.problems import ProblemError, not_found, unavailable

T = TypeVar("T")
COMPILED_KEPT = 2_048
REMEMBERED = 10_000
"""Entries of one kind before all are forgotten."""


class Entrance(NamedTuple):
    """A trigger, and the limits of its project."""

    trigger: Trigger
    limits: Limits


class Bound(NamedTuple):
    """What a trigger starts, and where. `accepts` None: this flow version is not here yet, the engine checks alone."""

    trigger: Trigger
    accepts: Accepts | None
    channel: Channel | None


class Remembered(Generic[T]):
    """What was made from the registry, until anything in the registry changes."""

    def __init__(self, view: View) -> None:
        self._made: dict[Hashable, T] = {}
        self.get = self._made.get
        view.on_change(lambda *_: self._made.clear())

    def put(self, key: Hashable, value: T) -> T:
        """`value`, remembered."""
        if len(self._made) >= REMEMBERED:
            self._made.clear()
        self._made[key] = value
        return value


class Catalogue:
    """Typed look-ups; each raises ProblemError 404 for what is not there, 503 when that cannot be known."""

    def __init__(self, view: View, connectors: Connectors) -> None:
        self.view, self.connectors = view, connectors
        self.types_at = {each.descriptor.door: name for name, each in connectors.items() if each.in_house}
        """Door -> the type of our own channels that it serves."""
        self.proof_headers = frozenset(name for each in connectors.values() for name in each.descriptor.proof_headers)
        self._catch_up = Paced(view.current, CATCH_UP_PAUSE)
        self._accepts: OrderedDict[tuple[str, int, str | None], Accepts] = OrderedDict()
        self.entrances, self.bounds = Remembered[Entrance](view), Remembered[Bound](view)
        """What `entrance` and `bound` have found, by the trigger's id: asked first, where it counts."""

    async def caught_up(self, look: Callable[[], T]) -> T:
        """`look()`; when it raises a 404, once more after the view has read what its topic holds now."""
        try:
            return look()
        except ProblemError as miss:
            if miss.status != 404:
                raise
        if not await self._catch_up():
            raise unavailable("The registry is not known here yet.")
        return look()

    def limits(self, project_id: str) -> Limits:
        """The project's rate limits."""
        project: Project | None = self.view.get("project", project_id)
        return limits_of(project_id, project.rate_limits if project is not None else {})

    def bot(self, id: str) -> Bot:
        found: Bot | None = self.view.get("bot", id)
        if found is None:
            raise not_found("The bot")
        return found

    def channel(self, id: str) -> Channel:
        found: Channel | None = self.view.get("channel", id)
        if found is None:
            raise not_found("The channel")
        return found

    def http_channel(self, bot: Bot) -> Channel:
        """The bot's own channel of type http, the one the Bot API works in."""
        for one in self.view.all("channel", bot.project_id):
            if one.bot_id == bot.id and one.type == self.types_at["talk"]:
                found: Channel = one
                return found
        raise not_found("The bot's channel of type http")

    def entrance(self, id: str) -> Entrance:
        """A trigger by its id."""
        found: Trigger | None = self.view.get("trigger", id)
        if found is None:
            raise not_found("The trigger")
        return self.entrances.put(id, Entrance(found, self.limits(found.project_id)))

    def bound(self, trigger: Trigger) -> Bound:
        """What a trigger starts; its flow is published."""
        flow: Flow | None = self.view.get("flow", trigger.flow_id)
        _, accepts = self._entry(flow, trigger.entry)
        channel = None if trigger.channel_id is None else self.channel(trigger.channel_id)
        bound = Bound(trigger, accepts, channel)
        return bound if accepts is None else self.bounds.put(trigger.id, bound)

    def flow_entry(self, bot: Bot, name: str, entry: str | None) -> tuple[Flow, Accepts | None]:
        """A published flow of the bot by id or slug, with the checks of one of its webhook triggers."""
        flow: Flow | None = self.view.get("flow", name)
        if flow is None:
            flows = self.view.all("flow", bot.project_id)
            flow = next((one for one in flows if one.bot_id == bot.id and one.slug == name), None)
        if flow is None or flow.bot_id != bot.id:
            raise not_found("The flow")
        return self._entry(flow, entry)

    def _entry(self, flow: Flow | None, entry: str | None) -> tuple[Flow, Accepts | None]:
        if flow is None or flow.published is None:
            raise unpublished("The flow has no published version: publish it first.")
        key = (flow.id, flow.published, entry)
        found = self._accepts.get(key)
        if found is None:
            version: FlowVersion | None = self.view.get("flow_version", f"{flow.id}/{flow.published}")
            if version is None:
                return flow, None
            found = accepts_of(version.document, entry)
            if found is None:
                raise unpublished(f"The published version of the flow has no webhook trigger {entry}.")
            self._accepts[key] = found
            if len(self._accepts) > COMPILED_KEPT:
                self._accepts.popitem(last=False)
        return flow, found
