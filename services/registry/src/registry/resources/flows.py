"""Flows: a draft that may be wrong, and published versions that never change. New sessions start on `published`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from channels.discovery import Connectors
from channels.limits import Limits
from contracts.cloudevents import now_text, rfc3339
from contracts.ids import uuid7
from contracts.registry import ApiCall, Bot, Channel, Entity, Flow, FlowVersion, Secret, Segment, Trigger, in_project
from flowlang.building.compiler import KnownNames
from flowlang.language.document import as_published
from registry import errors
from registry.entities import Stored
from registry.resources import bound_secrets
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.resources.segments import IN_FLOWS
from registry.site import Site
from registry.store import postgres_drafts, postgres_entities
from registry.values import flow_documents
from registry.values.flow_documents import Document
from registry.values.inputs import Id, Input
from registry.writing.unit import Unit

VERSIONS = "versions"
"""In `extra`: how many versions were published."""
DRAFT = "draft_version"
COMMANDS, JUMPS = "commands", "jumps"
"""In `extra`: what the published version takes for itself in its bot, and where it leads. So that who publishes another flow
reads these, and not the documents of a thousand."""
KEPT_VERSIONS = 20
"""The last ones can be published again; an older one is there for as long as conversations stand on it (ADR-0034)."""


class NewFlow(Input):
    """`document` is a JSON object, or the text of one in YAML."""

    bot: Id
    """Whose flow it is."""
    document: Document | str
    """The flow, `flow/1`."""


class Draft(Input):
    document: Document | str
    """The flow, `flow/1`; it may have mistakes."""


class Check(Input):
    """With a bot, what the document names is looked up there."""

    bot: Id | None = None
    """Where names are looked up."""
    document: Document | str
    """The flow, `flow/1`."""


class Publish(Input):
    """`force`: also where that takes away what triggers or other flows use."""

    force: bool = False
    """Whether to publish although that takes away what is in use."""


class Rollback(Publish):
    version: int = Field(ge=1)
    """The version to publish again."""


class DraftVersion(BaseModel):
    """How often its draft was saved."""

    draft_version: int


class FlowMade(BaseModel):
    """What is wrong with the first draft."""

    problems: list[dict[str, str]]


async def create(unit: Unit, new: NewFlow) -> Made[Flow]:
    bot = await unit.named(Bot, "/bot", new.bot)
    document = await unit.site.checks.read(new.document)
    entity = Flow(id=str(uuid7()), project_id=unit.project, bot_id=bot.id, **flow_documents.names_of(document))
    stored = await unit.add(entity, extra={DRAFT: 1}, uses=[bot.entity])
    await postgres_drafts.put(unit.connection, entity.id, document)
    await unit.refuse_too_many(entity)
    return Made(stored, {"problems": await _problems(unit, bot.id, document, entity.id)})


async def save_draft(unit: Unit, stored: Stored[Flow], draft: Draft, expected: str | None) -> dict[str, Any]:
    """`{draft_version, problems}`. `expected` is the ETag of the draft that the caller has seen."""
    document = await unit.site.checks.read(draft.document)
    current = await postgres_drafts.get(unit.connection, stored.id)
    errors.refuse_stale(f'"{current.version}"', expected)
    version = await postgres_drafts.put(unit.connection, stored.id, document)
    await unit.refuse_growth(stored.entity, current.document, document)
    await unit.note(stored.entity, stored.extra | {DRAFT: version})
    if stored.entity.published is None and flow_documents.names_of(document) != flow_documents.names_of(
        current.document
    ):
        renamed = stored.entity.model_copy(update=flow_documents.names_of(document))
        await unit.save(renamed, extra=stored.extra | {DRAFT: version})
    return {DRAFT: version, "problems": await _problems(unit, stored.entity.bot_id, document, stored.id)}


async def check(unit: Unit, asked: Check) -> dict[str, Any]:
    """`{problems}` of a document that is not saved. With a bot, its flow of the same slug is the document's own."""
    document = await unit.site.checks.read(asked.document)
    if asked.bot is None:
        return {"problems": await unit.site.checks.problems(document)}
    bot = await unit.named(Bot, "/bot", asked.bot)
    return {"problems": await _problems(unit, bot.id, document, None)}


async def draft(unit: Unit, stored: Stored[Flow]) -> dict[str, Any]:
    """`{draft_version, document, problems}`."""
    found = await postgres_drafts.get(unit.connection, stored.id)
    problems = await _problems(unit, stored.entity.bot_id, found.document, stored.id)
    return {DRAFT: found.version, "document": found.document, "problems": problems}


async def publish(unit: Unit, stored: Stored[Flow], asked: Publish) -> dict[str, Any]:
    """`{version, problems}`, the latter warnings. Raises ProblemError 422 while there are errors, 409: see Publish."""
    await unit.load(Bot, stored.entity.bot_id, lock="FOR UPDATE")  # Two flows of a bot must not take one command.
    document = (await postgres_drafts.get(unit.connection, stored.id)).document
    problems = await _problems(unit, stored.entity.bot_id, document, stored.id)
    wrong = [problem for problem in problems if problem["severity"] == "error"]
    if wrong:
        raise errors.flow_problems(wrong)
    await _refuse_taking_away(unit, stored, document, asked)
    number = stored.extra.get(VERSIONS, 0) + 1
    entity = stored.entity
    version = FlowVersion(
        flow_id=entity.id,
        project_id=entity.project_id,
        bot_id=entity.bot_id,
        version=number,
        document=as_published(document),
    )
    await unit.add(version)
    retired = max(entity.retired, number - KEPT_VERSIONS)
    published = entity.model_copy(update={"published": number, "retired": retired, **flow_documents.names_of(document)})
    await _go_live(unit, published, document, stored.extra | {VERSIONS: number})
    return {"version": number, "problems": problems}


async def roll_back(unit: Unit, stored: Stored[Flow], rollback: Rollback) -> dict[str, Any]:
    """New sessions start on an earlier version again; running ones stay where they are. Raises ProblemError 422 for a
    retired one: the engines rely on it that nobody comes to stand there."""
    if rollback.version <= stored.entity.retired:
        raise errors.invalid("/version", f"Of a flow the last {KEPT_VERSIONS} versions can be published again.")
    version = await version_of(unit, stored, rollback.version)
    document = version.entity.document
    await _refuse_taking_away(unit, stored, document, rollback)
    entity = stored.entity.model_copy(update={"published": rollback.version, **flow_documents.names_of(document)})
    await _go_live(unit, entity, document, stored.extra)
    return {"version": rollback.version}


async def versions(unit: Unit, stored: Stored[Flow]) -> list[dict[str, Any]]:
    """Newest first, without their documents."""
    found = await postgres_entities.matching(unit.connection, FlowVersion, stored.project_id, {"flow_id": stored.id})
    return [show_version(version, stored.entity.published) for version in reversed(found)]


async def version_of(unit: Unit, stored: Stored[Flow], number: int) -> Stored[FlowVersion]:
    """Raises ProblemError 404."""
    return await unit.load(FlowVersion, f"{stored.id}/{number}")


async def current_document(unit: Unit, stored: Stored[Flow]) -> Document:
    """The published document; the draft of a flow that was never published."""
    if stored.entity.published is not None:
        return (await version_of(unit, stored, stored.entity.published)).entity.document
    return (await postgres_drafts.get(unit.connection, stored.id)).document


async def remove(unit: Unit, stored: Stored[Flow]) -> None:
    """Its versions stay: conversations may stand on them. See `end`."""
    await unit.remove(stored.entity)
    await postgres_drafts.delete(unit.connection, stored.id)


async def end(unit: Unit, flow_id: str) -> bool:
    """Who stands on a version of it ends there with the next event, with `flow.failed` and `version-gone`: a timer is one. The
    versions go once the engines say that nobody stands there any more."""
    found = await postgres_entities.matching(unit.connection, FlowVersion, unit.project, {"flow_id": flow_id})
    for version in found:
        if not version.entity.ended:
            await unit.save(version.entity.model_copy(update={"ended": True}), extra=version.extra)
    return bool(found)


async def forget_unused(unit: Unit, version: Stored[FlowVersion]) -> None:
    """Delete a version on which the engines say that nobody stands, if it is retired, or its flow deleted."""
    flow = await postgres_entities.find(unit.connection, Flow, version.entity.flow_id, lock="FOR SHARE")
    if flow is None or version.entity.version <= flow.entity.retired:
        await unit.drop(version.entity)


def show(stored: Stored[Flow], site: Site) -> dict[str, Any]:
    return show_entity(stored, site) | {DRAFT: stored.extra[DRAFT]}


def show_version(version: Stored[FlowVersion], published: int | None) -> dict[str, Any]:
    number = version.entity.version
    return {"version": number, "published": number == published, "created_at": rfc3339(version.created_at)}


async def _go_live(unit: Unit, entity: Flow, document: Document, extra: dict[str, Any]) -> None:
    bot = await unit.load(Bot, entity.bot_id)
    uses: list[Entity] = [bot.entity]
    for name in await unit.site.checks.called_apis(document):
        found = await postgres_entities.find_unique(unit.connection, ApiCall, in_project(entity.project_id, name))
        if found is not None:
            uses.append(found.entity)
    for name in await unit.site.checks.segments_asked(document):
        segment = await postgres_entities.find_unique(unit.connection, Segment, in_project(entity.project_id, name))
        if segment is not None:
            uses.append(segment.entity)
    uses += await bound_secrets.of_flow(unit, await unit.site.checks.secrets_sent(document))
    live = {"schedules": flow_documents.schedules(document), "published_at": now_text()}
    await unit.save(entity.model_copy(update=live), extra=extra | _about(document), uses=uses)


def _about(document: Document) -> dict[str, Any]:
    return {COMMANDS: list(flow_documents.commands(document)), JUMPS: list(flow_documents.jumps(document))}


async def _published(unit: Unit, flow: Stored[Flow]) -> dict[str, Any]:
    """COMMANDS and JUMPS of what is published of it; read in its document where an earlier release has published that."""
    if flow.entity.published is None:
        return _about({})
    if COMMANDS in flow.extra:
        return flow.extra
    return _about((await version_of(unit, flow, flow.entity.published)).entity.document)


async def _refuse_taking_away(unit: Unit, stored: Stored[Flow], after: Document, asked: Publish) -> None:
    """Raise ProblemError 409 where triggers and flows that are live would find nothing any more, unless that is meant.

    People who are in the flow stay on their version, so that nothing is taken from them.
    """
    flow = stored.entity
    if asked.force or flow.published is None:
        return
    gone = flow_documents.taken_away((await version_of(unit, stored, flow.published)).entity.document, after)
    users: list[dict[str, Any]] = []
    for trigger in await postgres_entities.matching(unit.connection, Trigger, flow.project_id, {"flow_id": flow.id}):
        if trigger.entity.entry in gone.entries:
            users.append(
                {"kind": "trigger", "id": trigger.id, "name": None, "why": f"enters by {trigger.entity.entry!r}"}
            )
    flows = await postgres_entities.matching(unit.connection, Flow, flow.project_id, {"bot_id": flow.bot_id})
    for other in flows if gone.nodes or gone.slug else ():
        why = gone.breaks((await _published(unit, other))[JUMPS], flow.slug) if other.id != flow.id else None
        if why:
            users.append({"kind": "flow", "id": other.id, "name": other.entity.slug, "why": why})
    if users:
        raise errors.takes_away(users)


async def _problems(unit: Unit, bot_id: str, document: Document, flow_id: str | None) -> list[dict[str, Any]]:
    known = await _known_names(unit, bot_id, flow_id, document["slug"])
    return await unit.site.checks.problems(document, known)


async def _known_names(unit: Unit, bot_id: str, flow_id: str | None, slug: str) -> KnownNames:
    """What a document of this bot may refer to; `flow_id` is its own flow (else the one of `slug`), whose commands do
    not count."""
    calls = await postgres_entities.matching(unit.connection, ApiCall, unit.project, {})
    flows = await postgres_entities.matching(unit.connection, Flow, unit.project, {"bot_id": bot_id})
    segments = await postgres_entities.matching(unit.connection, Segment, unit.project, {})
    channels = await postgres_entities.matching(unit.connection, Channel, unit.project, {"bot_id": bot_id})
    secrets = await postgres_entities.matching(unit.connection, Secret, unit.project, {})
    limits_of = _limits(unit.site.connectors, {channel.entity.type for channel in channels})
    return KnownNames(
        api_calls=frozenset(call.entity.name for call in calls),
        models=frozenset(call.entity.name for call in calls if call.entity.kind == "model"),
        flows=frozenset(flow.entity.slug for flow in flows),
        commands=await _commands(
            unit, [one for one in flows if flow_id != one.id and (flow_id or one.entity.slug != slug)]
        ),
        title_limits={type: limits.button_title for type, limits in limits_of.items() if limits.button_title},
        secrets={secret.entity.name: secret.entity.hosts for secret in secrets},
        segments={segment.entity.name: segment.extra[IN_FLOWS] for segment in segments},
        text_limits={type: limits.text[:2] for type, limits in limits_of.items() if limits.text},
        shows={type: unit.site.connectors[type].descriptor.capabilities for type in limits_of},
    )


def _limits(connectors: Connectors, types: set[str]) -> dict[str, Limits]:
    return {type: connectors[type].descriptor.limits for type in types if type in connectors}


async def _commands(unit: Unit, flows: list[Stored[Flow]]) -> dict[str, str]:
    taken: dict[str, str] = {}
    for flow in flows:
        taken.update(dict.fromkeys((await _published(unit, flow))[COMMANDS], flow.entity.slug))
    return taken


async def find(unit: Unit, pointer: str, name: str) -> Stored[Flow]:
    """A flow by its id, or by its slug where only one bot of the project has it. Raises ProblemError 422."""
    by_slug = await postgres_entities.matching(unit.connection, Flow, unit.project, {"slug": name})
    if len(by_slug) > 1:
        raise errors.invalid(pointer, f"Several bots have a flow {name!r}: give its id.")
    return by_slug[0] if by_slug else await unit.named(Flow, pointer, name)


RESOURCE: Resource[Flow, NewFlow, Input] = Resource(
    noun="flows",
    model=Flow,
    new=NewFlow,
    create=create,
    show=show,
    remove=remove,
    end=end,
    filters={"bot": "bot_id", "slug": "slug"},
    also=DraftVersion,
    once=FlowMade,
    checked=True,
)
