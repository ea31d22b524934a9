"""Secrets: write-only named values that flows and API calls refer to as `secret.<name>`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from contracts.ids import uuid7
from contracts.registry import Secret
from contracts.web_url import origin_of
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.values.inputs import HttpUrl, Identifier, Input
from registry.writing.unit import Unit

HIDDEN = frozenset({"value"})
VALUE_LIMIT = 16_384


MOST_HOSTS = 20
Hosts = Annotated[tuple[Annotated[HttpUrl, AfterValidator(origin_of)], ...], Field(max_length=MOST_HOSTS)]
"""Where a secret may be sent: of each URL, scheme, host and port."""


class NewSecret(Input):
    """`hosts`: where it may be sent, `https://api.example.com`; without, where the first API call goes that names it."""

    hosts: Hosts = ()
    """Where it may be sent."""
    name: Identifier
    """What API calls and endpoints call it: `secret.<name>`."""
    value: SecretStr = Field(min_length=1, max_length=VALUE_LIMIT)
    """The secret itself; it is never shown."""


class SecretPatch(Input):
    """`hosts` is changed by who knows the value."""

    hosts: Hosts = ()
    """Where it may be sent."""
    value: SecretStr = Field(min_length=1, max_length=VALUE_LIMIT)
    """The secret itself; it is never shown."""


async def create(unit: Unit, new: NewSecret) -> Made[Secret]:
    id = str(uuid7())
    sealed = unit.site.seal(new.value.get_secret_value(), project=unit.project, entity=id, field="value")
    entity = Secret(id=id, project_id=unit.project, name=new.name, value=sealed, hosts=new.hosts)
    return Made(await unit.add(entity))


async def change(unit: Unit, stored: Stored[Secret], patch: SecretPatch) -> Stored[Secret]:
    secret = stored.entity
    sealed = unit.site.seal(
        patch.value.get_secret_value(), project=secret.project_id, entity=secret.id, field="value", after=secret.value
    )  # fmt: skip
    hosts = patch.hosts if "hosts" in patch.given() else secret.hosts
    return await unit.save(secret.model_copy(update={"value": sealed, "hosts": hosts}), extra=stored.extra)


def show(stored: Stored[Secret], site: Site) -> dict[str, Any]:
    return show_entity(stored, site, hide=HIDDEN)


RESOURCE = Resource(
    noun="secrets",
    model=Secret,
    new=NewSecret,
    patch=SecretPatch,
    create=create,
    change=change,
    show=show,
    filters={"name": "name"},
    hidden=HIDDEN,
)
