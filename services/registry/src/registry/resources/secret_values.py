"""Secrets: write-only named values that flows and API calls refer to as `secret.<name>`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr

from contracts.ids import uuid7
from contracts.registry import Secret
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.values.inputs import Identifier, Input
from registry.writing.unit import Unit

HIDDEN = frozenset({"value"})
VALUE_LIMIT = 16_384


class NewSecret(Input):
    name: Identifier
    value: SecretStr = Field(min_length=1, max_length=VALUE_LIMIT)


class SecretPatch(Input):
    value: SecretStr = Field(min_length=1, max_length=VALUE_LIMIT)


async def create(unit: Unit, new: NewSecret) -> Made[Secret]:
    id = str(uuid7())
    sealed = unit.site.seal(new.value.get_secret_value(), project=unit.project, entity=id, field="value")
    entity = Secret(id=id, project_id=unit.project, name=new.name, value=sealed)
    return Made(await unit.add(entity))


async def change(unit: Unit, stored: Stored[Secret], patch: SecretPatch) -> Stored[Secret]:
    secret = stored.entity
    sealed = unit.site.seal(
        patch.value.get_secret_value(), project=secret.project_id, entity=secret.id, field="value"
    )  # fmt: skip
    return await unit.save(secret.model_copy(update={"value": sealed}), extra=stored.extra)


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
