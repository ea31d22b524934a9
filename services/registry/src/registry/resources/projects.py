"""Projects: made by the operator. `webhook_url` is the endpoint named "project"."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from contracts.cloudevents import rfc3339
from contracts.ids import uuid7
from contracts.registry import PROJECT_WEBHOOK, Endpoint, Project, Sealed, in_project
from registry import errors
from registry.entities import Stored
from registry.resources import endpoints
from registry.resources.endpoints import SecretRotation
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.store import postgres_entities, postgres_topic_slugs
from registry.values.endpoint_secrets import MOST, ends_of, new_secret, with_ends
from registry.values.inputs import Cidr, HttpUrl, Input, Name
from registry.writing.unit import Unit
from servicekit.credentials.sealing import SealError

SLUG_LENGTH = 40
HIDDEN = frozenset({"signing_secret", "older_secrets"})
WEBHOOK_EVENTS = ("profile.pushed", "agent.*", "contact.updated", "flag.*")


class NewProject(Input):
    name: Name
    """What it is called."""
    webhook_url: HttpUrl | None = None
    """Where an endpoint named "project" gets what steps push and what happens to contacts."""


class ProjectPatch(Input):
    """`webhook_url` null takes the endpoint named "project" away."""

    name: Name = ""
    """What it is called."""
    webhook_url: HttpUrl | None = None
    """Where the endpoint named "project" gets its events; null takes it away."""


class Rate(Input):
    count: int = Field(ge=1, le=1_000_000)
    """How many."""
    per_seconds: int = Field(ge=1, le=86_400)
    """In how many seconds."""


class RateLimits(Input):
    """Of requests to ingress. Addresses in `exempt_cidrs` are not limited."""

    per_address: Rate | None = None
    """Requests of one address."""
    per_trigger: Rate | None = None
    """Calls of one trigger."""
    exempt_cidrs: tuple[Cidr, ...] = Field(default=(), max_length=100)
    """Networks that are not limited."""


class WebhookMade(BaseModel):
    """The endpoint named "project", and its signing secret."""

    endpoint_id: str
    secret: str


class ProjectKnown(BaseModel):
    """`signing_secret_hint`: the end of the secret that signs webhooks of flow steps. `webhook_url`: of its endpoint."""

    signing_secret_hint: str | None = None
    webhook_url: str | None = None


class ProjectMade(BaseModel):
    """Secrets that are shown this once."""

    signing_secret: str
    webhook: WebhookMade | None = None


async def create(unit: Unit, new: NewProject) -> Made[Project]:
    id = str(uuid7())
    secret = new_secret()
    slug = await _free_slug(unit, new.name, id)
    sealed = unit.site.seal(secret, project=id, entity=id, field="signing_secret")
    stored = await unit.add(Project(id=id, name=new.name, slug=slug, signing_secret=sealed))
    unit.project_id = id
    once: dict[str, Any] = {"signing_secret": secret}
    if new.webhook_url:
        once["webhook"] = await _add_webhook(unit, new.webhook_url)
    return Made(stored, once)


async def change(unit: Unit, stored: Stored[Project], patch: ProjectPatch) -> Stored[Project]:
    given = patch.given()
    if "webhook_url" in given:
        await _set_webhook(unit, stored.id, patch.webhook_url)
    named = {"name": patch.name} if "name" in given else {}
    return await unit.save(stored.entity.model_copy(update=named), extra=stored.extra)


async def set_rate_limits(unit: Unit, stored: Stored[Project], limits: RateLimits) -> Stored[Project]:
    entity = stored.entity.model_copy(update={"rate_limits": limits.model_dump(mode="json", exclude_none=True)})
    return await unit.save(entity, extra=stored.extra)


def show(stored: Stored[Project], site: Site) -> dict[str, Any]:
    return show_entity(stored, site, hide=HIDDEN) | {"signing_secret_hint": _hint(stored.entity, site)}


def _hint(project: Project, site: Site) -> str | None:
    """Enough of it to see which one a receiver has; None when its key is not here any more."""
    try:
        return "whsec_…" + site.open(project.signing_secret, of=project, field="signing_secret")[-4:]
    except SealError:
        return None


async def webhook_url(unit: Unit, stored: Stored[Project]) -> dict[str, Any]:
    """`{webhook_url}` of the endpoint named "project", with what is secret in it hidden."""
    endpoint = await _webhook(unit, stored.id)
    return {"webhook_url": endpoint.entity.url} if endpoint else {}


async def rotate_secret(unit: Unit, stored: Stored[Project], rotation: SecretRotation) -> Made[Project]:
    """The new secret; those before it sign beside it, each until its overlap is over. Without one they end at once."""
    project, secret = stored.entity, new_secret()
    sealed = unit.site.seal(
        secret, project=project.id, entity=project.id, field="signing_secret", after=project.signing_secret
    )
    older, ends = tuple[Sealed, ...](), list[str]()
    if rotation.overlap_seconds:
        older = (project.signing_secret, *project.older_secrets)
        ends = [rfc3339(datetime.now(UTC) + timedelta(seconds=rotation.overlap_seconds)), *ends_of(stored)]
    if len(older) >= MOST:
        raise errors.invalid(
            "/overlap_seconds", f"{MOST} secrets sign already: wait, or rotate with 0, which ends them."
        )
    entity = project.model_copy(update={"signing_secret": sealed, "older_secrets": older})
    return Made(await unit.save(entity, extra=with_ends(stored.extra, ends)), {"signing_secret": secret})


async def _free_slug(unit: Unit, name: str, id: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:SLUG_LENGTH] or "project"
    taken = await postgres_entities.find_unique(unit.connection, Project, slug)
    had_topics = await postgres_topic_slugs.is_kept(unit.connection, slug)
    return f"{slug}-{id[-6:]}" if taken or had_topics else slug


async def _webhook(unit: Unit, project_id: str) -> Stored[Endpoint] | None:
    return await postgres_entities.find_unique(unit.connection, Endpoint, in_project(project_id, PROJECT_WEBHOOK))


async def _add_webhook(unit: Unit, url: str) -> dict[str, Any]:
    made = await endpoints.create(unit, endpoints.NewEndpoint(name=PROJECT_WEBHOOK, url=url, events=WEBHOOK_EVENTS))
    return {"endpoint_id": made.stored.id, **made.once}


async def _set_webhook(unit: Unit, project_id: str, url: str | None) -> None:
    endpoint = await _webhook(unit, project_id)
    if endpoint is None and url is not None:
        await _add_webhook(unit, url)
    elif endpoint is not None and url is None:
        await unit.remove(endpoint.entity)
    elif endpoint is not None:
        await endpoints.change(unit, endpoint, endpoints.EndpointPatch(url=url or ""))


RESOURCE = Resource(
    noun="projects",
    model=Project,
    new=NewProject,
    patch=ProjectPatch,
    create=create,
    change=change,
    show=show,
    beside=webhook_url,
    hidden=HIDDEN,
    also=ProjectKnown,
    once=ProjectMade,
)
