"""Agents: people who answer in place of the bot, each by tokens of its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from contracts.ids import uuid7
from contracts.people import identifier
from contracts.registry import Agent, Bot, Token
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.store import postgres_entities
from registry.values.inputs import Cidr, FutureTime, Id, Input, Name
from registry.writing.unit import Unit
from servicekit.credentials.tokens import generate_token


def _email(text: str) -> str:
    if "@" not in text or identifier("email", text) is None:
        raise ValueError("an e-mail address")
    return text


Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=256), AfterValidator(_email)]


class NewAgent(Input):
    name: Name
    """What people call it; who is refused because it has a conversation is told this."""
    email: Email
    """Its e-mail address; no other agent of the project has it."""
    bots: tuple[Id, ...] = Field(default=(), max_length=100)
    """Whose conversations it sees, by the bots' ids; empty: those of all bots."""


class AgentPatch(Input):
    name: Name = ""
    """What people call it."""
    email: Email = ""
    """Its e-mail address."""
    bots: tuple[Id, ...] = Field(default=(), max_length=100)
    """Whose conversations it sees, by the bots' ids; empty: those of all bots."""


class NewAgentToken(Input):
    name: Name | None = None
    """What it is called; left out: as the agent."""
    expires_at: FutureTime | None = None
    """When it ends by itself."""
    allowed_cidrs: tuple[Cidr, ...] = Field(default=(), max_length=100)
    """Networks that it works from; empty: all."""


async def create(unit: Unit, new: NewAgent) -> Made[Agent]:
    bots = await _bots(unit, new.bots)
    ids = tuple(bot.id for bot in bots)
    entity = Agent(id=str(uuid7()), project_id=unit.project, name=new.name, email=new.email, bots=ids)
    return Made(await unit.add(entity, uses=bots))


async def change(unit: Unit, stored: Stored[Agent], patch: AgentPatch) -> Stored[Agent]:
    given = patch.given()
    if "bots" not in given:
        return await unit.save(stored.entity.model_copy(update=given), extra=stored.extra)
    bots = await _bots(unit, patch.bots)
    given["bots"] = tuple(bot.id for bot in bots)
    return await unit.save(stored.entity.model_copy(update=given), extra=stored.extra, uses=bots)


async def remove(unit: Unit, stored: Stored[Agent]) -> None:
    """Its tokens are revoked with it. Conversations that it has stay its, until another agent takes them over."""
    for token in await postgres_entities.matching(unit.connection, Token, stored.project_id, {"agent_id": stored.id}):
        await unit.drop(token.entity)
    await unit.remove(stored.entity)


async def make_token(unit: Unit, stored: Stored[Agent], new: NewAgentToken) -> Made[Token]:
    """A token by which this agent acts."""
    generated = generate_token()
    entity = Token(
        id=generated.id,
        project_id=stored.project_id,
        name=new.name or stored.entity.name,
        sha256=generated.sha256,
        scopes=("agents:chat",),
        expires_at=new.expires_at,
        allowed_cidrs=new.allowed_cidrs,
        agent_id=stored.id,
    )
    return Made(await unit.add(entity), {"token": generated.text})


async def _bots(unit: Unit, ids: tuple[str, ...]) -> list[Bot]:
    return [(await unit.named(Bot, "/bots", id)).entity for id in dict.fromkeys(ids)]


RESOURCE = Resource(
    noun="agents",
    model=Agent,
    new=NewAgent,
    patch=AgentPatch,
    create=create,
    change=change,
    remove=remove,
    filters={"email": "email"},
)
