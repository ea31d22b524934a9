"""Bots: what a person talks to, on one or more channels."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from contracts.ids import uuid7
from contracts.registry import Bot
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.values.inputs import HttpUrl, Input, Name
from registry.writing.unit import Unit


class NewBot(Input):
    """`variables` are what its flows read as `bot.<name>`."""

    name: Name
    """What it is called."""
    photo: HttpUrl | None = None
    """The URL of a picture."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Values that its flows read."""


class BotPatch(Input):
    name: Name = ""
    """What it is called."""
    photo: HttpUrl | None = None
    """The URL of a picture."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Values that its flows read."""


async def create(unit: Unit, new: NewBot) -> Made[Bot]:
    entity = Bot(id=str(uuid7()), project_id=unit.project, name=new.name, photo=new.photo, variables=new.variables)
    return Made(await unit.add(entity))


async def change(unit: Unit, stored: Stored[Bot], patch: BotPatch) -> Stored[Bot]:
    return await unit.save(stored.entity.model_copy(update=patch.given()), extra=stored.extra)


RESOURCE = Resource(
    noun="bots", model=Bot, new=NewBot, patch=BotPatch, create=create, change=change, filters={"name": "name"}
)
