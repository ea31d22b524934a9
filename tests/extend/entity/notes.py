"""A kind of entity that the product does not have: a note about a bot."""

from __future__ import annotations

from typing import ClassVar

from contracts.ids import uuid7
from contracts.registry import Bot, Owned, in_project
from contracts.registry.entity import Indexes
from contracts.routes import crud
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.values.inputs import Id, Input, Name
from registry.writing.unit import Unit


class Note(Owned):
    """Something to remember about a bot."""

    KIND = "note"
    INDEXES: ClassVar[Indexes] = {"bot_id": ("bot_id",)}

    bot_id: str
    name: str
    text: str = ""

    @property
    def unique_name(self) -> str:
        return in_project(self.project_id, self.name)


class NewNote(Input):
    """A note."""

    bot: Id
    name: Name
    text: str = ""


class NotePatch(Input):
    """What may be changed."""

    name: Name = ""
    text: str = ""


async def create(unit: Unit, new: NewNote) -> Made[Note]:
    bot = await unit.named(Bot, "/bot", new.bot)
    note = Note(id=str(uuid7()), project_id=unit.project, bot_id=bot.id, name=new.name, text=new.text)
    return Made(await unit.add(note, uses=[bot.entity]))


async def change(unit: Unit, stored: Stored[Note], patch: NotePatch) -> Stored[Note]:
    return await unit.save(stored.entity.model_copy(update=patch.given()), extra=stored.extra)


RESOURCE = Resource(
    noun="notes", model=Note, new=NewNote, patch=NotePatch, create=create, change=change, filters={"bot": "bot_id"}
)
ROWS = tuple(crud("notes", "a note"))
