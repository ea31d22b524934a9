"""Channels: where a bot talks. Credentials are sealed; what a platform says of them is asked by the dispatcher."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field, SecretStr

from contracts.cloudevents import now_text
from contracts.ids import uuid7
from contracts.inbound import ChannelType
from contracts.registry import Bot, Channel
from registry import errors
from registry.entities import Stored
from registry.resources.inputs import HttpUrl, Id, Input, Name
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.writing.unit import Unit

OFFERED: tuple[ChannelType, ...] = ("telegram", "webchat", "http")
RANDOM_BYTES = 24
BOT_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,128}")
SINCE = "state_since"
"""In `extra`: when its state was set last."""
HIDDEN = frozenset({"credentials", "inbound_sha256", "secret_token_sha256"})
Credentials = dict[str, SecretStr]


class NewChannel(Input):
    """`credentials` of Telegram: `{token}`. `set_webhook`: tell the platform where to send what happens."""

    bot: Id
    type: ChannelType
    name: Name | None = None
    credentials: Credentials = Field(default_factory=dict)
    api_base_url: HttpUrl | None = None
    allowed_origins: tuple[HttpUrl, ...] = Field(default=(), max_length=100)
    mode: Literal["webhook"] = "webhook"
    set_webhook: bool = True


class ChannelPatch(Input):
    """What the platform says of new credentials: POST …/check."""

    name: Name = ""
    credentials: Credentials = Field(default_factory=dict)
    api_base_url: HttpUrl | None = None
    allowed_origins: tuple[HttpUrl, ...] = Field(default=(), max_length=100)
    state: Literal["active", "paused"] = "active"


class ChannelState(BaseModel):
    """`inbound_url` of the channels that are ours; `reason` why it is paused."""

    inbound_url: str | None = None
    reason: str | None = None


class ChannelMade(BaseModel):
    """What the platform calls us by, shown this once, and what the platform said."""

    secret_token: str | None = None
    webhook_set: bool | None = None
    hints: list[str] | None = None


async def create(unit: Unit, new: NewChannel) -> Made[Channel]:
    if new.type not in OFFERED:
        raise errors.invalid("/type", f"{new.type} is not offered here; there are {', '.join(OFFERED)}.")
    bot = await unit.named(Bot, "/bot", new.bot)
    entity = Channel(
        id=str(uuid7()),
        project_id=unit.project,
        bot_id=bot.id,
        type=new.type,
        name=new.name or new.type,
        api_base_url=new.api_base_url,
        allowed_origins=new.allowed_origins,
    )
    once: dict[str, str] = {}
    if entity.type == "telegram":
        random, secret_token = secrets.token_urlsafe(RANDOM_BYTES), secrets.token_urlsafe(RANDOM_BYTES)
        once = {"inbound_url": unit.site.url("in", entity.id, random), "secret_token": secret_token}
        entity = _with_telegram(unit, entity, {"token": _bot_token(new.credentials), **once})
    elif new.credentials:
        raise errors.invalid("/credentials", f"A {entity.type} channel has none.")
    return Made(await unit.add(entity, uses=[bot.entity]), once)


async def change(unit: Unit, stored: Stored[Channel], patch: ChannelPatch) -> Stored[Channel]:
    given = patch.given()
    given.pop("credentials", None)
    entity, extra = stored.entity.model_copy(update=given), stored.extra
    if "state" in given:
        extra = extra | {"reason": None, SINCE: now_text()}
    if patch.credentials:
        if entity.type != "telegram":
            raise errors.invalid("/credentials", f"A {entity.type} channel has none.")
        entity = _with_new_token(unit, entity, _bot_token(patch.credentials))
    return await unit.save(entity, extra=extra)


async def describe(unit: Unit, stored: Stored[Channel], external_id: str, url: str | None) -> Stored[Channel]:
    """What the platform told about the bot."""
    entity = stored.entity.model_copy(update={"external_id": external_id, "url": url})
    return await unit.save(entity, extra=stored.extra)


async def set_state(
    unit: Unit, stored: Stored[Channel], state: Literal["active", "paused"], reason: str | None = None
) -> Stored[Channel]:
    """`reason` is shown while it is paused."""
    entity = stored.entity.model_copy(update={"state": state})
    return await unit.save(entity, extra=stored.extra | {"reason": reason, SINCE: now_text()})


def show(stored: Stored[Channel], site: Site) -> dict[str, Any]:
    """The inbound URL of a platform is a secret and was shown when the channel was made; the others are plain."""
    shown = show_entity(stored, site, hide=HIDDEN)
    if stored.entity.type != "telegram":
        shown["inbound_url"] = inbound_url(stored.entity, site)
    if stored.entity.state == "paused" and stored.extra.get("reason"):
        shown["reason"] = stored.extra["reason"]
    return shown


def inbound_url(channel: Channel, site: Site) -> str:
    """Where sessions of our own channels begin."""
    return (
        site.url("web", channel.id, "sessions")
        if channel.type == "webchat"
        else site.url("talk", channel.bot_id, "sessions")
    )


def _bot_token(credentials: Credentials) -> str:
    token = credentials.get("token")
    text = token.get_secret_value() if token else ""
    if set(credentials) != {"token"} or not BOT_TOKEN.fullmatch(text):
        raise errors.invalid("/credentials", "Telegram's are {token}, as BotFather gives it: 123456:ABC…")
    return text


def _with_telegram(unit: Unit, entity: Channel, credentials: dict[str, str]) -> Channel:
    random = credentials["inbound_url"].rpartition("/")[2]
    return _sealed(unit, entity, credentials).model_copy(
        update={
            "external_id": credentials["token"].partition(":")[0],
            "inbound_sha256": sha256(random.encode()).hexdigest(),
            "secret_token_sha256": sha256(credentials["secret_token"].encode()).hexdigest(),
        }
    )


def _with_new_token(unit: Unit, entity: Channel, token: str) -> Channel:
    assert entity.credentials is not None, "a telegram channel is made with credentials"
    old = orjson.loads(unit.site.open(entity.credentials, of=entity, field="credentials"))
    changed = {"external_id": token.partition(":")[0], "url": None}
    return _sealed(unit, entity, old | {"token": token}).model_copy(update=changed)


def _sealed(unit: Unit, entity: Channel, credentials: dict[str, str]) -> Channel:
    plaintext = orjson.dumps(credentials).decode()
    sealed = unit.site.seal(plaintext, project=entity.project_id, entity=entity.id, field="credentials")
    return entity.model_copy(update={"credentials": sealed})


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
