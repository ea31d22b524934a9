"""API calls that flows make by their names. One that is made as a test is made by the dispatcher, as all others."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.ids import uuid7
from contracts.registry import ApiCall
from flowlang.declared_types import DeclaredType
from registry import errors
from registry.entities import Stored
from registry.resources import bound_secrets
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.values import sent_values
from registry.values.inputs import Headers, HttpUrl, Identifier, Input, ParameterName, Params, SecretRef
from registry.writing.unit import Unit

HIDDEN = frozenset({"auth_secret", "sealed"})
MOST_PARAMETERS = 32
LONGEST_CALL = 30
"""Seconds; only a model may take longer."""
OF_MODELS = ("model", "max_tokens", "turn_tokens")
NOT_OF_MODELS = ("parameters", "response", "idempotent")


class ApiCallFields(Input):
    """`auth` is `secret.<name>`: its value becomes the Authorization header.

    A value of `headers`, `params` or the query may be `secret.<name>`, too; any other is sealed, and shown as `[hidden]`.
    """

    description: str | None = Field(default=None, max_length=2000)
    """For who edits flows, and for a model that has it as a tool: what it does, and when to call it."""
    method: Literal["GET", "POST"] = "POST"
    """GET sends the parameters in the query, POST as a JSON body."""
    params: Params = Field(default_factory=dict)
    """What is sent with each call; a step's own parameters stand above those of the same name. Of a model: further fields of each
    request, such as `temperature`."""
    headers: Headers = Field(default_factory=dict)
    """Headers of each call."""
    auth: SecretRef | None = None
    """The secret whose value becomes the Authorization header."""
    timeout_seconds: int = Field(default=10, ge=1, le=120)
    """How long an answer may take: at most 30 seconds, of a model 120. The dispatcher waits no longer than its leases let it,
    which is 30 seconds unless the operator has set SWITCHHOOK_REQUEST_TIMEOUT_SECONDS."""
    response: Literal["envelope", "raw"] = "envelope"
    """What the answer is: an envelope that says messages and sets values, or any JSON."""
    idempotent: bool = False
    """Whether it does no harm to make the call again when its answer was lost."""
    parameters: dict[ParameterName, DeclaredType] = Field(default_factory=dict, max_length=MOST_PARAMETERS)
    """What a model may give that has this as a tool: name → type, with `!` when it is needed: `{"date": "string!"}`."""
    model: str | None = Field(default=None, min_length=1, max_length=200)
    """Of a model: its name, as its server knows it."""
    max_tokens: int = Field(default=1024, ge=1, le=32_768)
    """Of a model: how long one answer may be."""
    turn_tokens: int = Field(default=50_000, ge=1, le=1_000_000)
    """Of a model: what all questions and answers for one `ai` node may come to; once it is reached, nothing more is asked."""

    def fields(self) -> dict[str, Any]:
        """What was given, as the entity names it."""
        given = dict(self.given())
        if "auth" in given:
            given["auth_secret"] = given.pop("auth")
        return given


class NewApiCall(ApiCallFields):
    kind: Literal["http", "model"] = "http"
    """`http`: an API that flows call. `model`: a language model that `ai` nodes ask, by the URL that takes its chat completions,
    such as `https://api.openai.com/v1/chat/completions`."""
    name: Identifier
    """What flows call it."""
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
    """What a step would give; of a model `input`, what it is asked."""


class Auth(BaseModel):
    """`secret.<name>`, the secret whose value becomes the Authorization header."""

    auth: str | None = None


async def create(unit: Unit, new: NewApiCall) -> Made[ApiCall]:
    written = ApiCall(id=str(uuid7()), project_id=unit.project, **{"method": new.method, **new.fields()})
    if written.kind == "http" and "method" not in new.model_fields_set:
        raise errors.invalid("/method", "Say whether it is GET or POST.")
    _check(written, new.model_fields_set)
    entity = sent_values.new(unit.site, written)
    return Made(await unit.add(entity, uses=await bound_secrets.of_sender(unit, entity)))


async def change(unit: Unit, stored: Stored[ApiCall], patch: ApiCallPatch) -> Stored[ApiCall]:
    await bound_secrets.as_it_was(unit, stored.entity)
    entity = sent_values.changed(unit.site, stored.entity, patch.fields())
    _check(entity, patch.model_fields_set)
    if entity.name != stored.entity.name:
        await unit.refuse_if_used(entity)  # Published flows call it by its name.
    return await unit.save(entity, extra=stored.extra, uses=await bound_secrets.of_sender(unit, entity))


def _check(call: ApiCall, given: set[str]) -> None:
    """What fits only the one kind, or the other. Raises ProblemError 422."""
    is_model = call.kind == "model"
    for field in NOT_OF_MODELS if is_model else OF_MODELS:
        if field in given:
            has = "An API call of kind model has no" if is_model else "Only an API call of kind model has"
            raise errors.invalid(f"/{field}", f"{has} {field}.")
    if is_model and call.model is None:
        raise errors.invalid("/model", "Say which model answers: the name that its server knows it by.")
    if is_model and call.method != "POST":
        raise errors.invalid("/method", "A model is asked by POST.")
    if not is_model and call.timeout_seconds > LONGEST_CALL:
        raise errors.invalid("/timeout_seconds", f"At most {LONGEST_CALL} seconds; only a model may take longer.")


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
