"""Channels: where a bot talks. Credentials are sealed; what a platform says of them is asked by the dispatcher.

What credentials a type has, and how its channels are called, is its connector's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from channels.port import Connector
from contracts.cloudevents import now_text
from contracts.ids import uuid7
from contracts.inbound import ChannelType
from contracts.registry import Bot, Channel
from contracts.web_url import origin_of
from registry import errors
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.values import channel_credentials
from registry.values.inputs import BaseUrl, Id, Input, Name, Origin
from registry.writing.unit import Unit

SINCE = "state_since"
"""In `extra`: when its state was set last."""
TOLD_URL = "told_url"
"""In `extra`: the public URL under which the platform was told to call us; absent where a person told it."""
OLD_URL = "The platform still calls {told}: it is told our new address until it has taken it."
HIDDEN = frozenset({"credentials", "inbound_sha256", "secret_token_sha256"})
Credentials = dict[str, SecretStr]


class NewChannel(Input):
    """`credentials` as the type has them, `{token}` for Telegram. `set_webhook`: tell the platform where to send what happens."""

    bot: Id
    """Whose channel it is."""
    type: ChannelType
    """Which platform."""
    name: Name | None = None
    """What it is called."""
    credentials: Credentials = Field(default_factory=dict)
    """What the type needs."""
    api_base_url: BaseUrl | None = None
    """Another server of the platform's API."""
    allowed_origins: tuple[Origin, ...] = Field(default=(), max_length=100)
    """Web chat: the sites whose pages may call it, each as `https://shop.example`; pages of this installation always may."""
    mode: Literal["webhook"] = "webhook"
    """How the platform tells us."""
    set_webhook: bool = True
    """Whether to tell the platform where to send what happens."""


class ChannelPatch(Input):
    """What the platform says of new credentials: POST …/check.

    `paused`: nothing is sent to a platform's channel, and its messages wait, each until it expires; a channel of ours (web
    chat, Bot API) takes nothing in, 409 `channel-paused`, and what was said there can be read.
    """

    name: Name = ""
    """What it is called."""
    credentials: Credentials = Field(default_factory=dict)
    """What the type needs."""
    api_base_url: BaseUrl | None = None
    """Another server of the platform's API."""
    allowed_origins: tuple[Origin, ...] = Field(default=(), max_length=100)
    """Web chat: the sites whose pages may call it, each as `https://shop.example`; pages of this installation always may."""
    state: Literal["active", "paused"] = "active"
    """Whether it sends and takes in."""


class ChannelState(BaseModel):
    """`inbound_url` of the channels that are ours; `reason` why it is paused; `hints` while the platform calls an older address."""

    inbound_url: str | None = None
    reason: str | None = None
    hints: list[str] | None = None


class ChannelMade(BaseModel):
    """What was made for the platform to call us by, shown this once, and what the platform said."""

    model_config = ConfigDict(extra="allow")

    webhook_set: bool | None = None
    hints: list[str] | None = None


async def create(unit: Unit, new: NewChannel) -> Made[Channel]:
    connectors = unit.site.connectors
    connector = connectors.get(new.type)
    if connector is None:
        raise errors.invalid("/type", f"{new.type} is not offered here; there are {', '.join(connectors)}.")
    bot = await unit.named(Bot, "/bot", new.bot)
    _check_base_url(connector, new.api_base_url)
    entity = Channel(
        id=str(uuid7()),
        project_id=unit.project,
        bot_id=bot.id,
        type=new.type,
        name=new.name or new.type,
        api_base_url=new.api_base_url,
        allowed_origins=new.allowed_origins,
    )
    given = channel_credentials.given(connector, new.credentials, complete=True)
    once = channel_credentials.made(connector, entity, unit.site)
    if not connector.in_house:
        entity = channel_credentials.sealed(unit.site, connector, entity, {**given, **once})
    return Made(await unit.add(entity, uses=[bot.entity]), once)


async def change(unit: Unit, stored: Stored[Channel], patch: ChannelPatch) -> Stored[Channel]:
    given = patch.given()
    given.pop("credentials", None)
    entity, extra = stored.entity.model_copy(update=given), stored.extra
    connector = unit.site.connectors.get(entity.type)
    if "state" in given:
        extra = extra | {"reason": None, SINCE: now_text()}
    if connector is not None:
        _check_base_url(connector, patch.api_base_url)
        _ask_again(connector, stored.entity, entity, patch)
    if patch.credentials:
        if connector is None:
            raise errors.invalid("/credentials", f"{entity.type} is not offered here any more.")
        entity = _with_new_credentials(unit.site, connector, entity, patch.credentials)
    return await unit.save(entity, extra=extra)


async def describe(
    unit: Unit, stored: Stored[Channel], external_id: str, url: str | None, learned: Mapping[str, str]
) -> Stored[Channel]:
    """What the platform told about the bot; `learned` belongs to its credentials."""
    entity = stored.entity
    if learned:
        known = channel_credentials.opened(unit.site, entity)
        entity = channel_credentials.sealed(unit.site, unit.site.connectors[entity.type], entity, {**known, **learned})
    return await unit.save(entity.model_copy(update={"external_id": external_id, "url": url}), extra=stored.extra)


async def move_here(unit: Unit, stored: Stored[Channel]) -> Stored[Channel]:
    """Its inbound URL at our public URL, whichever it had; nothing is saved where that is so."""
    moved = channel_credentials.here(unit.site, stored.entity)
    return stored if moved is stored.entity else await unit.save(moved, extra=stored.extra)


async def set_state(
    unit: Unit, stored: Stored[Channel], state: Literal["active", "paused"], reason: str | None = None
) -> Stored[Channel]:
    """`reason` is shown while it is paused."""
    entity = stored.entity.model_copy(update={"state": state})
    return await unit.save(entity, extra=stored.extra | {"reason": reason, SINCE: now_text()})


def show(stored: Stored[Channel], site: Site) -> dict[str, Any]:
    """The inbound URL of a platform is a secret and was shown when the channel was made; the others are plain."""
    shown = show_entity(stored, site, hide=HIDDEN)
    connector = site.connectors.get(stored.entity.type)
    if connector is not None and connector.in_house:
        shown["inbound_url"] = channel_credentials.inbound_url(connector, stored.entity, site)
    if stored.entity.state == "paused" and stored.extra.get("reason"):
        shown["reason"] = stored.extra["reason"]
    if (told := stored.extra.get(TOLD_URL, site.public_url)) != site.public_url:
        shown["hints"] = [OLD_URL.format(told=told)]
    return shown


def _with_new_credentials(site: Site, connector: Connector, entity: Channel, credentials: Credentials) -> Channel:
    """What the platform told of the old ones is forgotten; the inbound URL and what was made here stay."""
    given = channel_credentials.given(connector, credentials, complete=False)
    known = channel_credentials.opened(site, entity)
    return channel_credentials.sealed(site, connector, entity, {**known, **given}).model_copy(update={"url": None})


def _ask_again(connector: Connector, before: Channel, after: Channel, patch: ChannelPatch) -> None:
    """Credentials go to the host that they were given for. Raises ProblemError 422 where another one would get them."""
    base = connector.descriptor.base_url
    usual = base.default if base else ""
    if before.credentials is None or _origin(before, usual) == _origin(after, usual):
        return
    if {each.name for each in connector.descriptor.of_origin("given")} - patch.credentials.keys():
        raise errors.invalid("/credentials", "api_base_url names another host: give the credentials again.")


def _origin(channel: Channel, usual: str) -> str:
    return origin_of(channel.api_base_url or usual)


def _check_base_url(connector: Connector, url: str | None) -> None:
    base = connector.descriptor.base_url
    if url is not None and base is not None and not base.settable:
        raise errors.invalid("/api_base_url", f"A {connector.descriptor.type} channel's is {base.default}, always.")


RESOURCE = Resource(
    noun="channels",
    model=Channel,
    new=NewChannel,
    patch=ChannelPatch,
    create=create,
    change=change,
    show=show,
    filters={"bot": "bot_id", "type": "type", "state": "state"},
    hidden=HIDDEN,
    also=ChannelState,
    once=ChannelMade,
)
