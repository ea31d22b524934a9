"""Endpoints: whose URL gets which events, in which format, signed with which secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, model_validator

from contracts.actions import WebhookFormat
from contracts.cloudevents import now_text, rfc3339
from contracts.event_types import EventType
from contracts.ids import uuid7
from contracts.registry import Bot, Endpoint, Entity, Sealed
from registry import errors
from registry.entities import Stored
from registry.resources import bound_secrets
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.store import postgres_circuits, postgres_entities
from registry.values import sent_values
from registry.values.endpoint_secrets import MOST, ends_of, new_secret, with_ends
from registry.values.event_breadth import breadth
from registry.values.inputs import EventTypes, Headers, HttpUrl, Id, Input, Name
from registry.writing.unit import Unit

ATTEMPTS_LIMIT = 20
SINCE = "state_since"
"""In `extra`: when its state was set last."""
OVERLAP_SECONDS = 24 * 3600
HIDDEN = frozenset({"secrets", "schedule_seconds", "sealed"})
Seconds = tuple[int, ...]


class EventRate(Input):
    """At most `count` requests every `per_seconds`."""

    count: int = Field(ge=1, le=100_000)
    """How many."""
    per_seconds: int = Field(default=1, ge=1, le=86_400)
    """In how many seconds."""


class EndpointFields(Input):
    """What can be set at any time. `schedule` are the delays between attempts, in seconds.

    A value of `headers` or of the URL's query may be `secret.<name>`; any other is sealed, and shown as `[hidden]`.
    """

    bots: tuple[Id, ...] = Field(default=(), max_length=100)
    """Only events of these bots; empty: of all."""
    filter: str | None = None
    """CEL over the event; false leaves it out."""
    format: WebhookFormat = "switchhook"
    """The form of the body."""
    template: str | None = None
    """A Liquid body."""
    headers: Headers = Field(default_factory=dict)
    """Headers of each request."""
    ordered: bool = False
    """Whether the events of one conversation come one after another."""
    max_in_flight: int = Field(default=16, ge=1, le=256)
    """Requests at once, at most."""
    rate_limit: EventRate | None = None
    """Requests in a time, at most."""
    schedule: Seconds | None = Field(default=None, max_length=ATTEMPTS_LIMIT)
    """The delays between attempts, in seconds."""
    timeout_seconds: int = Field(default=15, ge=1, le=30)
    """How long an answer may take."""
    title_map: dict[EventType, Name] = Field(default_factory=dict)
    """Type → the title that the SendPulse formats have for it."""

    @model_validator(mode="after")
    def _schedule_rises(self) -> EndpointFields:
        if any(not 1 <= delay <= 7 * 86_400 for delay in self.schedule or ()):
            raise ValueError("schedule: delays of 1 second to 7 days")
        return self

    def fields(self) -> dict[str, Any]:
        """What was given, as the entity names it."""
        given = dict(self.given())
        if "schedule" in given:
            given["schedule_seconds"] = given.pop("schedule")
        if self.rate_limit is not None:
            given["rate_limit"] = self.rate_limit.model_dump()
        return given


class NewEndpoint(EndpointFields):
    url: HttpUrl
    """Where webhooks go."""
    events: EventTypes
    """Types, groups such as `tag.*`, or `*`."""
    name: Name | None = None
    """What it is called."""


class EndpointPatch(EndpointFields):
    url: HttpUrl = ""
    """Where webhooks go."""
    events: EventTypes = ()
    """Types, groups such as `tag.*`, or `*`."""
    name: Name = ""
    """What it is called."""


class SecretRotation(Input):
    """The old secret signs beside the new one for `overlap_seconds`, and so do those before it until their time; 0: none."""

    overlap_seconds: int = Field(default=OVERLAP_SECONDS, ge=0, le=30 * 86_400)
    """How long the old secret goes on signing."""


class Circuit(BaseModel):
    """Whether anything is sent to the endpoint: `closed`, it is; `open`, after five failures in a row nothing is before
    `next_try`; `half_open`, one delivery tries whether it works. `reason`: how the last one failed."""

    state: Literal["closed", "open", "half_open"]
    since: str | None = None
    next_try: str | None = None
    reason: str | None = None


class EndpointState(BaseModel):
    """`schedule`: the delays between attempts, in seconds. `reason`: why it is disabled. `circuit` where it is read or listed."""

    schedule: list[int] | None = None
    reason: str | None = None
    circuit: Circuit | None = None


class EndpointSecret(BaseModel):
    """The signing secret, shown this once."""

    secret: str


async def create(unit: Unit, new: NewEndpoint) -> Made[Endpoint]:
    id, secret = str(uuid7()), new_secret()
    named = {"name": new.name or urlsplit(new.url).hostname or id}
    written = Endpoint.model_validate(
        new.fields() | named | {"id": id, "project_id": unit.project, "secrets": (_seal(unit, id, secret),)}
    )
    entity = sent_values.new(unit.site, written)
    await _check(unit, entity, new)
    stored = await unit.add(entity, uses=await _used(unit, entity))
    await _refuse_breadth(unit, stored.entity, None)
    return Made(stored, {"secret": secret})


async def change(unit: Unit, stored: Stored[Endpoint], patch: EndpointPatch) -> Stored[Endpoint]:
    entity = sent_values.changed(unit.site, stored.entity, patch.fields())
    await _check(unit, entity, patch)
    saved = await unit.save(entity, extra=stored.extra, uses=await _used(unit, entity))
    await postgres_circuits.forget(unit.connection, stored.id)
    if patch.given().keys() & {"events", "bots"}:
        await _refuse_breadth(unit, entity, stored.entity)
    return saved


async def rotate_secret(unit: Unit, stored: Stored[Endpoint], rotation: SecretRotation) -> Made[Endpoint]:
    """The new secret first; the old ones sign beside it, each until its overlap is over. Without one they end at once."""
    secret, older, ends = new_secret(), tuple[Sealed, ...](), list[str]()
    if rotation.overlap_seconds:
        older = stored.entity.secrets
        ends = [rfc3339(datetime.now(UTC) + timedelta(seconds=rotation.overlap_seconds)), *ends_of(stored)]
    if len(older) >= MOST:
        raise errors.invalid(
            "/overlap_seconds", f"{MOST} secrets sign already: wait, or rotate with 0, which ends them."
        )
    newest = _seal(unit, stored.id, secret, stored.entity.secrets[0])
    entity = stored.entity.model_copy(update={"secrets": (newest, *older)})
    return Made(await unit.save(entity, extra=with_ends(stored.extra, ends)), {"secret": secret})


async def set_state(
    unit: Unit, stored: Stored[Endpoint], state: Literal["enabled", "disabled"], reason: str | None = None
) -> Stored[Endpoint]:
    """`reason` is shown while it is disabled."""
    entity = stored.entity.model_copy(update={"state": state})
    await postgres_circuits.forget(unit.connection, stored.id)
    return await unit.save(entity, extra=stored.extra | {"reason": reason, SINCE: now_text()})


def show(stored: Stored[Endpoint], site: Site) -> dict[str, Any]:
    shown = show_entity(stored, site, hide=HIDDEN)
    if stored.entity.schedule_seconds is not None:
        shown["schedule"] = list(stored.entity.schedule_seconds)
    if stored.entity.state == "disabled" and stored.extra.get("reason"):
        shown["reason"] = stored.extra["reason"]
    return shown


async def circuit(unit: Unit, stored: Stored[Endpoint]) -> dict[str, Any]:
    """As the dispatchers told of it last."""
    found = await postgres_circuits.find(unit.connection, stored.id)
    if found is None:
        return {"circuit": {"state": "closed"}}
    told = {"since": rfc3339(found["since"]), "next_try": rfc3339(found["next_try"]), "reason": found["reason"]}
    return {"circuit": {"state": "half_open" if found["is_tried"] else "open", **told}}


async def _check(unit: Unit, entity: Endpoint, given: EndpointFields) -> None:
    await unit.site.checks.refuse_wrong("filter", given.filter)
    await unit.site.checks.refuse_wrong("template", given.template)
    if (entity.format == "template") != (entity.template is not None):
        raise errors.invalid("/template", "The format template needs a template, and only that format has one.")


async def _refuse_breadth(unit: Unit, changed: Endpoint, before: Endpoint | None) -> None:
    """Raise ProblemError 409 when one event may now go to more endpoints than it may, and than before the change.

    Filters are not judged.
    """
    await unit.count_alone(unit.project)
    stored = await postgres_entities.matching(unit.connection, Endpoint, unit.project, {})
    others = [each.entity for each in stored if each.id != changed.id]
    most = unit.site.limits.endpoints_per_event
    now = breadth([*others, changed])
    if now > most and now > breadth([*others, *([before] if before else [])]):
        raise errors.too_many("endpoints that one event goes to", "endpoints_per_event", most)


def _seal(unit: Unit, id: str, secret: str, after: Sealed | None = None) -> Sealed:
    return unit.site.seal(secret, project=unit.project, entity=id, field="secrets", after=after)


async def _used(unit: Unit, entity: Endpoint) -> list[Entity]:
    return [*await _bots(unit, entity), *await bound_secrets.of_sender(unit, entity)]


async def _bots(unit: Unit, entity: Endpoint) -> list[Bot]:
    return [(await unit.named(Bot, f"/bots/{index}", bot)).entity for index, bot in enumerate(entity.bots)]


RESOURCE = Resource(
    noun="endpoints",
    model=Endpoint,
    new=NewEndpoint,
    patch=EndpointPatch,
    create=create,
    change=change,
    show=show,
    beside=circuit,
    filters={"state": "state", "name": "name"},
    hidden=HIDDEN,
    also=EndpointState,
    once=EndpointSecret,
    checked=True,
)
