"""What a simulation stands on: the bot's flows, and what is said of bot, channel, person and segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from contracts.ids import derived_id
from contracts.people import PROFILE_FIELDS
from contracts.registry import FlowVersion, OptOut
from flowlang.graph import Graph
from flowlang.language.cases import Given
from flowlang.language.compile import compile_flow
from flowlang.model import Contact, Conversation, RunCode, Tools
from flowlang.running.bot_flows import BotFlows
from flowlang.segments.kept import KeptFilters
from flowlang.work import Work

PROJECT, BOT, CHANNEL, CONTACT = (derived_id("simulation", name) for name in ("project", "bot", "channel", "contact"))
LINKS = "https://bot.invalid"
"""Where generated URLs and tracked links of a simulation lead: nowhere."""
LABELS = ("tags", "flags")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a bot has beside its flows, of which a script may give its own."""

    variables: Mapping[str, Any]
    name: str | None = None
    opt_out: OptOut | None = None
    segment: Callable[[str], str | None] = lambda name: None
    """From a segment's name to its filter."""
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Type of a channel -> what a message may be there: `text_limit`, `caption_limit`, `shows` of flowlang.model.Tools.channel."""


NOTHING = Surroundings({})


class _Said:
    """Membership of a segment, as a script says it: what a turn asks of flowlang.segments.filter.SegmentFilter."""

    is_for_turns = is_cheap = True

    def __init__(self, *, is_in: bool) -> None:
        self._is_in = is_in

    def holds(self, contact: Mapping[str, Any], now: datetime, work: Work) -> bool:
        return self._is_in


def compiled(document: dict[str, Any]) -> Graph:
    """The document as a version that runs; its slug is its id. Raises FlowInvalid."""
    slug = document.get("slug")
    version = FlowVersion(
        flow_id=slug if isinstance(slug, str) else "",
        project_id=PROJECT,
        bot_id=BOT,
        version=1,
        document=document,
    )
    return compile_flow(version.encode())


def flows_of(documents: Iterable[dict[str, Any]]) -> BotFlows:
    """The bot whose flows these are. Raises FlowInvalid."""
    return BotFlows([compiled(document) for document in documents])


def tools(given: Given, around: Surroundings) -> Tools:
    """What the engine would lend to a turn."""
    filters = KeptFilters()

    def segment(name: str, make: Callable[[int], None]) -> Any:
        known = given.segments.get(name)
        if isinstance(known, bool):
            return _Said(is_in=known)
        source = known if known is not None else around.segment(name)
        return None if source is None else filters.filter(source, make)

    return Tools(
        sign_link=link,
        bot={"id": BOT, "name": around.name, "variables": {**around.variables, **given.bot}},
        channel={
            "id": CHANNEL,
            "type": given.channel,
            "name": given.channel,
            **around.channels.get(given.channel, {}),
        },
        project_id=PROJECT,
        opt_out=around.opt_out,
        segment=segment,
    )


def link(kind: str, payload: dict[str, Any]) -> str:
    """A URL in place of a signed one: it opens nothing."""
    return f"{LINKS}/{kind}/{payload['jti']}"


def links_of(code: RunCode) -> Callable[[dict[str, Any]], str]:
    """What makes the generated URLs that a run of code asks for, each with an id of its own."""
    numbers = count(1)
    return lambda asked: link("command", {**asked, "jti": derived_id("link", code.wait, next(numbers))})


def conversation_of(given: Given) -> Conversation:
    """The conversation before its first turn."""
    conversation = Conversation(f"{BOT}/{CHANNEL}/1", PROJECT, BOT, CHANNEL, given.channel, "1", CONTACT)
    conversation.talked = given.talked
    conversation.reachable = "subscribed" if given.talked else "unknown"
    return conversation


def contact_of(given: Given) -> Contact:
    """The person before the first turn."""
    profile = {name: value for name, value in given.user.items() if name in PROFILE_FIELDS}
    variables = {name: value for name, value in given.user.items() if name not in {*PROFILE_FIELDS, *LABELS}}
    tags, flags = (list(given.user.get(name) or ()) for name in LABELS)
    return Contact(CONTACT, profile, variables, tags, flags)
