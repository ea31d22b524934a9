"""API calls that flows make by their names. One that is made as a test is made by the dispatcher, as all others."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.ids import uuid7
from contracts.registry import ApiCall
from registry.entities import Stored
from registry.resources import bound_secrets
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.values import sent_values
from registry.values.inputs import Headers, HttpUrl, Identifier, Input, Params, SecretRef
from registry.writing.unit import Unit

HIDDEN = frozenset({"auth_secret", "sealed"})


class ApiCallFields(Input):
    """`auth` is `secret.<name>`: its value becomes the Authorization header.

    A value of `headers`, `params` or the query may be `secret.<name>`, too; any other is sealed, and shown as `[hidden]`.
    """

    description: str | None = Field(default=None, max_length=2000)
    """For who edits flows."""
    method: Literal["GET", "POST"] = "POST"
    """GET sends the parameters in the query, POST as a JSON body."""
    params: Params = Field(default_factory=dict)
    """What is sent with each call; a step's own parameters stand above those of the same name."""
    headers: Headers = Field(default_factory=dict)
    """Headers of each call."""
    auth: SecretRef | None = None
    """The secret whose value becomes the Authorization header."""
    timeout_seconds: int = Field(default=10, ge=1, le=30)
    """How long an answer may take."""
    response: Literal["envelope", "raw"] = "envelope"
    """What the answer is: an envelope that says messages and sets values, or any JSON."""
    idempotent: bool = False
    """Whether it does no harm to make the call again when its answer was lost."""

    def fields(self) -> dict[str, Any]:
        """What was given, as the entity names it."""
        given = dict(self.given())
        if "auth" in given:
            given["auth_secret"] = given.pop("auth")
        return given


class NewApiCall(ApiCallFields):
    name: Identifier
    """What flows call it."""
    method: Literal["GET", "POST"]
    """GET sends the parameters in the query, POST as a JSON body."""
    url: HttpUrl
    """Where it goes."""


class ApiCallPatch(ApiCallFields):
    name: Identifier = ""
    """What flows call it."""
    url: HttpUrl = ""
    """Where it goes."""


class Test(Input):
    """Parameters for one call; those of the definition fill the rest."""

    params: dict[str, Any] = Field(default_factory=dict)
    """What a step would give."""


class Auth(BaseModel):
    """`secret.<name>`, the secret whose value becomes the Authorization header."""

    auth: str | None = None


async def create(unit: Unit, new: NewApiCall) -> Made[ApiCall]:
    written = ApiCall(id=str(uuid7()), project_id=unit.project, **new.fields())
    entity = sent_values.new(unit.site, written)
    return Made(await unit.add(entity, uses=await bound_secrets.of_sender(unit, entity)))


async def change(unit: Unit, stored: Stored[ApiCall], patch: ApiCallPatch) -> Stored[ApiCall]:
    await bound_secrets.as_it_was(unit, stored.entity)
    entity = sent_values.changed(unit.site, stored.entity, patch.fields())
    if entity.name != stored.entity.name:
        await unit.refuse_if_used(entity)  # Published flows call it by its name.
    return await unit.save(entity, extra=stored.extra, uses=await bound_secrets.of_sender(unit, entity))


async def remove(unit: Unit, stored: Stored[ApiCall]) -> None:
    await bound_secrets.as_it_was(unit, stored.entity)
    await unit.remove(stored.entity)


def show(stored: Stored[ApiCall], site: Site) -> dict[str, Any]:
    shown = show_entity(stored, site, hide=HIDDEN)
    secret = stored.entity.auth_secret
    return shown | ({"auth": f"secret.{secret}"} if secret else {})


RESOURCE = Resource(
    noun="api-calls",
    model=ApiCall,
    new=NewApiCall,
    patch=ApiCallPatch,
    create=create,
    change=change,
    show=show,
    remove=remove,
    filters={"name": "name"},
    hidden=HIDDEN,
    also=Auth,
)
