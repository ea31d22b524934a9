"""Generated URLs that run a command. One that was handed out never changes; a deleted one is revoked."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, model_validator

from contracts.ids import uuid7
from contracts.links import HookLink
from contracts.people import NamedPerson, Person
from contracts.registry import Bot, Channel, HookUrl
from registry import errors
from registry.entities import Stored, data_of
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.values.inputs import FutureTime, HttpUrl, Id, Input, Name
from registry.writing.unit import Unit


class NewHookUrl(Input):
    """`user_id` is another name for the person's `contact_id`."""

    bot: Id
    """Whose command it is."""
    command: Name
    """The command that opening the URL runs."""
    content: Any = None
    """What the command finds in `event.content` when the request brings nothing."""
    person: NamedPerson | None = None
    """For whom it runs; left out: for nobody."""
    user_id: Id | None = None
    """Another name for the person's `contact_id`."""
    redirect_to: HttpUrl | None = None
    """Where who opens it is sent afterwards."""
    expires_at: FutureTime | None = None
    """Until when it works."""
    single_use: bool = False
    """Whether it works once only; needs `expires_at`."""
    confirm: bool = False
    """Whether a page with a button comes first."""

    @model_validator(mode="after")
    def _fits(self) -> NewHookUrl:
        if self.person is not None and self.user_id is not None:
            raise ValueError("give person or user_id, not both")
        if self.single_use and self.expires_at is None:
            raise ValueError("a single_use URL needs expires_at: until then its use is remembered")
        return self


class Url(BaseModel):
    """The URL: whoever has it may call it."""

    url: str


async def create(unit: Unit, new: NewHookUrl) -> Made[HookUrl]:
    bot = await unit.named(Bot, "/bot", new.bot)
    if new.person is not None and new.person.channel_id is not None:
        channel = await unit.named(Channel, "/person/channel_id", new.person.channel_id)
        if channel.entity.bot_id != bot.id:
            raise errors.invalid("/person/channel_id", "The bot has no such channel.")
    entity = HookUrl(
        id=str(uuid7()),
        project_id=unit.project,
        bot_id=bot.id,
        command=new.command,
        content=new.content,
        person=Person(contact_id=new.user_id) if new.user_id else new.person,
        redirect_to=new.redirect_to,
        expires_at=new.expires_at,
        single_use=new.single_use,
        confirm=new.confirm,
    )
    return Made(await unit.add(entity, uses=[bot.entity]))


def show(stored: Stored[HookUrl], site: Site) -> dict[str, Any]:
    return show_entity(stored, site) | {"url": url_of(stored.entity, site)}


def url_of(entity: HookUrl, site: Site) -> str:
    """The URL: all that it needs is inside it, encrypted; the same each time."""
    link = HookLink.model_validate(data_of(entity) | {"link_id": entity.id, "registered": True})
    payload = link.model_dump(mode="json", exclude_none=True)
    return site.url("w", site.links.sign_link("w", entity.project_id, payload))


RESOURCE: Resource[HookUrl, NewHookUrl, Input] = Resource(
    noun="hook-urls",
    model=HookUrl,
    new=NewHookUrl,
    create=create,
    show=show,
    filters={"bot": "bot_id"},
    also=Url,
)
