"""`POST /v1/simulate`: play a script on a flow, and say what it would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from channels.discovery import installed
from contracts.registry import Bot, Segment
from flow_engine.catalogue.port import Catalogue
from flow_engine.simulating.simulator import Simulator
from flow_engine.simulating.worker import Simulate
from flow_engine.web import contact_changes, contacts
from flowlang.language.cases import Script
from flowlang.running.bot_flows import BotFlows
from flowtools.channel_facts import facts
from servicekit.web.auth import Caller
from servicekit.web.problems import ProblemError
from servicekit.web.routes import Handler

SIMULATE = "POST /v1/simulate"
MOST_FLOWS = 4 << 20
"""Bytes of the versions of a bot's flows, which are read for each simulation."""


class Simulation(Script):
    """A script, and the flow that it is played on: `document` or `flow`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bot: str | None = None
    """Whose flow it is, by its id; may be left out where the project has one bot. Its variables and published flows are there, and the
    project's segments."""
    document: dict[str, Any] | str | None = Field(default=None)
    """The flow, `flow/1`, JSON or the text of one in YAML: it stands in for the bot's published flow of its slug."""
    flow: str | None = None
    """In place of `document`: the slug or id of a published flow."""


class SimulatedStep(BaseModel):
    """A step of the script: the turns that it made, each `{event, at, nodes[], effects[], ends[], refused?}`, and the state after it."""

    does: str = Field(examples=["say"])
    """What the step is: `say`, `tap` …"""
    turns: list[dict[str, Any]]
    """Its own turn, and those of what was due then."""
    after: dict[str, Any]
    """`{conversation, contact}`; fields at their default are left out."""


class SimulatedProblem(BaseModel):
    """Something that was not as expected."""

    pointer: str
    """Where in the script, as a JSON pointer."""
    code: str
    """`not-as-expected`, `cannot-play`, `unused-answer`, or the warning `unanswered`."""
    detail: str
    """What is wrong, as a sentence."""


class Simulated(BaseModel):
    """What the script made of the flow."""

    before: dict[str, Any]
    """`{conversation, contact}` before the first step."""
    steps: list[SimulatedStep]
    """Each step that was played."""
    problems: list[SimulatedProblem]
    """What was not as expected; empty where all was."""


class Deps(contacts.Deps, Protocol):
    """What this route needs."""

    @property
    def catalogue(self) -> Catalogue:
        """The versions of flows."""
        ...

    @property
    def simulator(self) -> Simulator:
        """Plays scripts."""
        ...

    def flows_of(self, bot_id: str) -> BotFlows:
        """The published flows of a bot."""
        ...

    def segments_of(self, project_id: str) -> list[Segment]:
        """Those of a project."""
        ...


def handlers(deps: Deps) -> dict[str, Handler]:
    """By the names of their rows."""
    channels = facts(installed())

    async def simulate(request: Request, caller: Caller) -> Response:
        asked = contact_changes.read(await request.body(), Simulation)
        if (asked.document is None) is (asked.flow is None):
            raise _invalid("#/document", "give either `document` or `flow`.")
        bot = contacts.bot_of(asked.bot, caller, deps, pointer="#/bot")
        task = _task(asked, bot, deps, channels)
        return Response(await deps.simulator.simulate(bot.project_id, task), media_type="application/json")

    return {SIMULATE: simulate}


def _task(asked: Simulation, bot: Bot, deps: Deps, channels: Mapping[str, Mapping[str, Any]]) -> Simulate:
    """Raises ProblemError 422."""
    flows = deps.flows_of(bot.id)
    slug = ""
    if asked.flow is not None:
        found = flows.current(asked.flow) or flows.by_slug(asked.flow)
        if found is None:
            raise _invalid("#/flow", f"the bot has no published flow {asked.flow!r}.")
        slug = found.slug
    versions = [deps.catalogue.flow_data(*version) for version in flows.versions]
    others = tuple(data for data in versions if data is not None)
    if sum(map(len, others)) > MOST_FLOWS:
        detail = f"The bot's published flows have more than {MOST_FLOWS >> 20} MiB: simulate with `switchhook-flow`."
        raise ProblemError("simulation-too-costly", 422, "Simulation too costly", detail)
    return Simulate(
        document=asked.document,
        slug=slug,
        others=others,
        script=Script(given=asked.given, steps=asked.steps),
        bot_name=bot.name,
        variables=bot.variables,
        opt_out=bot.opt_out,
        segments={segment.name: segment.filter for segment in deps.segments_of(bot.project_id)},
        channels=channels,
    )


def _invalid(pointer: str, detail: str) -> ProblemError:
    field = pointer.rpartition("/")[2]
    errors = [{"pointer": pointer, "detail": detail}]
    return ProblemError("invalid", 422, "Invalid request", f"{field}: {detail}", errors=errors)
