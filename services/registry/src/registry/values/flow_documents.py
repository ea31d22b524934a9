"""Flow documents as the registry sees them: read, checked, and looked into for what they use. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError

from contracts.registry import ENTITY_LIMIT, Schedule
from contracts.web_url import origin_of
from flowlang.building.compiler import Compiler, KnownNames
from flowlang.language import document as flow_document
from flowlang.language.build import build_all
from flowlang.language.check import check
from flowlang.problems import FlowInvalid, Problem
from flowlang.triggers.schedule import ScheduleTrigger
from flowlang.triggers.webhook import WebhookTrigger
from registry import errors

Document = dict[str, Any]
SLUG: TypeAdapter[str] = TypeAdapter(flow_document.Slug)


def read(given: Document | str) -> Document:
    """A document from JSON, or from the text of one in YAML.

    Raises ProblemError 422 when it is not flow/1 at all, or has no slug. Whatever else is wrong with it may be saved.
    """
    try:
        document = flow_document.parse(given) if isinstance(given, str) else given
    except FlowInvalid as error:
        raise errors.flow_problems(map(as_json, error.problems)) from None
    if document.get("schema") != flow_document.SCHEMA:
        raise errors.invalid("/document/schema", f"Write schema: {flow_document.SCHEMA}.")
    try:
        SLUG.validate_python(document.get("slug"))
    except ValidationError:
        raise errors.invalid("/document/slug", "A slug of a-z, 0-9 and single hyphens is needed.") from None
    size = len(orjson.dumps(document))
    if size > ENTITY_LIMIT:
        raise errors.too_large("flow", size, ENTITY_LIMIT)
    return document


def problems_of(document: Document, known: KnownNames | None = None) -> list[Problem]:
    """All that is wrong with it, errors and warnings."""
    return list(check(document, known))


def names_of(document: Document) -> dict[str, str]:
    """`{slug, name}`."""
    name = document.get("name")
    return {"slug": document["slug"], "name": name if isinstance(name, str) and name else document["slug"]}


def as_json(problem: Problem) -> dict[str, str]:
    """A problem as answers show it."""
    return {
        "pointer": "#" + problem.pointer,
        "severity": problem.severity,
        "code": problem.code,
        "detail": problem.message,
    }


def called_apis(document: Document) -> set[str]:
    """Names of the API calls that its nodes make; none where it is no sound document."""
    try:
        nodes = flow_document.load(document).nodes
    except FlowInvalid:
        return set()
    return {name for node in nodes.values() for name in node.api_calls()}


def secrets_sent(document: Document) -> set[tuple[str, str]]:
    """(name, host that it goes to) of the secrets that its nodes send; none where it is no sound document."""
    try:
        nodes = flow_document.load(document).nodes
    except FlowInvalid:
        return set()
    return {(name, origin_of(url)) for node in nodes.values() for name, url in node.secrets_sent()}


def segments_asked(document: Document) -> set[str]:
    """Names of the segments that its conditions ask for; none where it is no sound document."""
    try:
        loaded = flow_document.load(document)
    except FlowInvalid:
        return set()
    compiler = Compiler()
    build_all(loaded, compiler)
    return compiler.segments


def commands(document: Document) -> Iterator[str]:
    """`chat /start`: where each unconditional command of a sound document comes from, and the command; `button buy`: so the payloads."""
    for trigger in document.get("triggers", ()):
        if trigger["type"] == "button" and trigger.get("payload") and not trigger.get("when"):
            yield f"button {trigger['payload']}"
        if trigger["type"] == "command" and not trigger.get("when"):
            for origin in trigger.get("from", ("chat",)):
                yield f"{origin} {trigger['value']}"


def schedules(document: Document) -> tuple[Schedule, ...]:
    """The schedules of a sound document."""
    given = (trigger for trigger in document.get("triggers", ()) if trigger["type"] == "schedule")
    return tuple(
        Schedule(
            trigger=one.id, cron=one.cron, timezone=one.timezone, segment=one.segment, grace=one.grace, rate=one.rate
        )
        for one in map(ScheduleTrigger.model_validate, given)
    )


def jumps(document: Document) -> Iterator[tuple[str, str, str | None]]:
    """(node, slug of the flow, node there) of each way of a sound document into another flow: jumps and calls."""
    for id, node in document.get("nodes", {}).items():
        if node.get("type") in ("call", "jump") and node.get("flow"):
            yield id, node["flow"], node.get("to")


class TakenAway(NamedTuple):
    """What an earlier version of a flow had and a later one has not: webhook entries, nodes, and the slug it went by."""

    entries: frozenset[str]
    nodes: frozenset[str]
    slug: str | None

    def breaks(self, jumps: Iterable[Sequence[Any]], slug: str) -> str | None:
        """How another flow, with these `jumps`, would lose its way to a flow of this slug; None: it does not."""
        for id, flow, to in jumps:
            if flow != slug:
                continue
            if self.slug is not None:
                return f"node {id!r} leads to the slug {slug!r}"
            if to in self.nodes:
                return f"node {id!r} leads to {to!r}"
        return None


def taken_away(before: Document, after: Document) -> TakenAway:
    """Of two sound documents."""
    return TakenAway(
        frozenset(_webhooks(before)) - frozenset(_webhooks(after)),
        before["nodes"].keys() - after["nodes"].keys(),
        before["slug"] if before["slug"] != after["slug"] else None,
    )


def _webhooks(document: Document) -> Iterator[str]:
    return (trigger["id"] for trigger in document.get("triggers", ()) if trigger["type"] == "webhook")


def webhook_entry(document: Document, entry: str) -> Mapping[str, str] | None:
    """What its webhook trigger of that id accepts: `{variable: type}`; None when it has none, or is no sound document."""
    try:
        triggers = flow_document.load(document).triggers
    except FlowInvalid:
        return None
    found = next((one for one in triggers if one.id == entry and isinstance(one, WebhookTrigger)), None)
    return None if found is None else found.accept
