"""Tokens: shown once, stored as a hash, revoked at once whatever uses them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from contracts.cloudevents import rfc3339
from contracts.registry import Scope, Token, Trigger, TriggerAuth
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.store import postgres_entities
from registry.values.inputs import Cidr, FutureTime, Input, Name
from registry.writing.unit import Unit
from servicekit.credentials.tokens import generate_token

WARNING = (
    "bots:converse together with data:* lets whoever talks as a person also read past chats: "
    "two tokens keep the two APIs apart."
)
HIDDEN = frozenset({"sha256"})
Scopes = tuple[Scope, ...]


class NewToken(Input):
    name: Name
    """What it is called."""
    scopes: Scopes = Field(min_length=1)
    """What it may do: docs/reference/tokens.md."""
    expires_at: FutureTime | None = None
    """When it ends by itself."""
    allowed_cidrs: tuple[Cidr, ...] = Field(default=(), max_length=100)
    """Networks that it works from; empty: all."""


class TokenPatch(Input):
    name: Name = ""
    """What it is called."""
    scopes: Scopes = Field(default=(), min_length=1)
    """What it may do: docs/reference/tokens.md."""
    expires_at: FutureTime | None = None
    """When it ends by itself."""
    allowed_cidrs: tuple[Cidr, ...] = Field(default=(), max_length=100)
    """Networks that it works from; empty: all."""


class Rotation(Input):
    """The old token goes on working for `overlap_seconds`."""

    overlap_seconds: int = Field(default=0, ge=0, le=30 * 86_400)
    """How long the old token goes on working."""


class Warnings(BaseModel):
    """What its scopes undo."""

    warnings: list[str]


class TokenMade(BaseModel):
    """The token itself, shown this once."""

    token: str


async def create(unit: Unit, new: NewToken) -> Made[Token]:
    generated = generate_token()
    entity = Token(
        id=generated.id,
        project_id=unit.project,
        name=new.name,
        sha256=generated.sha256,
        scopes=tuple(dict.fromkeys(new.scopes)),
        expires_at=new.expires_at,
        allowed_cidrs=new.allowed_cidrs,
    )
    return Made(await unit.add(entity), {"token": generated.text})


async def change(unit: Unit, stored: Stored[Token], patch: TokenPatch) -> Stored[Token]:
    return await unit.save(stored.entity.model_copy(update=patch.given()), extra=stored.extra)


async def rotate(unit: Unit, stored: Stored[Token], rotation: Rotation) -> Made[Token]:
    """A new token with the rights of the old one; triggers that named the old one name the new one."""
    generated = generate_token()
    fresh = stored.entity.model_copy(update={"id": generated.id, "sha256": generated.sha256, "replaced_by": None})
    made = await unit.add(fresh)
    for trigger in await _triggers_of(unit, stored):
        auth = trigger.entity.auth.model_copy(update={"token_id": made.id})
        await unit.save(trigger.entity.model_copy(update={"auth": auth}), extra=trigger.extra)
    if rotation.overlap_seconds:
        await _retire(unit, stored, made.id, rotation.overlap_seconds)
    else:
        await unit.drop(stored.entity)
    return Made(made, {"token": generated.text})


async def remove(unit: Unit, stored: Stored[Token]) -> None:
    """Revoke it. Triggers that named it need another one, and answer 401 until they have it."""
    for trigger in await _triggers_of(unit, stored):
        orphan = trigger.entity.model_copy(update={"auth": TriggerAuth(scheme="token"), "state": "needs_token"})
        await unit.save(orphan, extra=trigger.extra)
    await unit.drop(stored.entity)


def show(stored: Stored[Token], site: Site) -> dict[str, Any]:
    """Its rights; with a warning where they undo the separation of the Bot API from the data."""
    shown = show_entity(stored, site, hide=HIDDEN)
    return shown | {"warnings": [WARNING] if mixes_apis(stored.entity.scopes) else []}


def mixes_apis(scopes: Scopes) -> bool:
    """Whether a token may both talk as a person and read what was said."""
    return "bots:converse" in scopes and any(scope.startswith("data:") for scope in scopes)


async def _triggers_of(unit: Unit, stored: Stored[Token]) -> list[Stored[Trigger]]:
    return await postgres_entities.matching(
        unit.connection, Trigger, stored.project_id, {"auth": {"token_id": stored.id}}
    )


async def _retire(unit: Unit, stored: Stored[Token], successor: str, overlap_seconds: int) -> None:
    end = rfc3339(datetime.now(UTC) + timedelta(seconds=overlap_seconds))
    sooner = min(end, stored.entity.expires_at or end)
    await unit.save(
        stored.entity.model_copy(update={"expires_at": sooner, "replaced_by": successor}), extra=stored.extra
    )


RESOURCE = Resource(
    noun="tokens",
    model=Token,
    new=NewToken,
    patch=TokenPatch,
    create=create,
    change=change,
    show=show,
    remove=remove,
    filters={"agent": "agent_id"},
    hidden=HIDDEN,
    also=Warnings,
    once=TokenMade,
)
