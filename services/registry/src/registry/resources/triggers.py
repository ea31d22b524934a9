"""Triggers: bind a webhook entry of a flow to a channel and to a way of proving who calls."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, StringConstraints, model_validator

from contracts.ids import PEER_ID, uuid7
from contracts.registry import Channel, Flow, Token, Trigger, TriggerAuth
from registry import errors
from registry.entities import Stored
from registry.resources import flows, tokens
from registry.resources.resource import Made, Resource
from registry.resources.resource import show as show_entity
from registry.site import Site
from registry.store import postgres_entities, postgres_trigger_requests
from registry.values.inputs import Id, Input, Name
from registry.writing.unit import Unit
from servicekit.credentials.tokens import digest, generate_url_secret

ACCEPTS = "accepts"
"""In `extra`: the variables that the entry accepted when the trigger was saved, for the example."""
EXAMPLES: dict[str, Any] = {"string": "…", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
TOKEN_PLACE = "<the token>"  # noqa: S105 (a place for one)
PEER_PLACE = "<the person's id>"
SECRET_PLACE = "<the secret>"  # noqa: S105 (a place for one)
OLD_URL = 'This URL holds the trigger\'s id and no secret: PATCH {"auth": "url"} makes one that does.'
SECRETS = frozenset({"url_sha256"})
"""Fields of `auth` that are not shown."""
EXECUTE: Literal["flows:execute"] = "flows:execute"


class NewTriggerToken(Input):
    name: Name
    """What the token is called."""


class Group(Input):
    """A group chat that the bot is a member of."""

    group: Annotated[str, StringConstraints(pattern=f"^{PEER_ID.pattern}$")]
    """The group's id on the channel."""


class TriggerFields(Input):
    """`auth` token: the trigger's own token proves the caller; url: whoever knows the URL may call, which holds a secret."""

    entry: Id = ""
    """The id of a webhook trigger in the flow's document."""
    channel_id: Id | None = None
    """The channel that it writes on; left out: the caller says it."""
    peer: Literal["private"] | Group = "private"
    """Whom it writes to: who the caller names, or this group."""
    auth: Literal["token", "url"] = "token"
    """How a caller proves itself."""
    token_id: Id | None = None
    """The token that callers have to have."""


class NewTrigger(TriggerFields):
    """`flow` is an id, or a slug that only one bot of the project has."""

    flow: Id
    """The flow: its id or slug."""
    entry: Id
    """The id of a webhook trigger in the flow's document."""
    new_token: NewTriggerToken | None = None
    """Make a token for it, too."""

    @model_validator(mode="after")
    def _one_token(self) -> NewTrigger:
        given = (self.token_id is not None) + (self.new_token is not None)
        if given != (self.auth == "token"):
            raise ValueError("auth token: choose one (token_id) or make one (new_token: {name}); auth url takes none")
        return self


class TriggerPatch(TriggerFields):
    """Without a token (`token_id: null`) the trigger answers 401 until it has one. `auth: url` makes a new URL each time."""


class Instructions(BaseModel):
    """How to call it: the URL, a complete body, and what is left to fill in."""

    url: str
    body_example: dict[str, Any]
    hint: str


class TriggerMade(BaseModel):
    """The trigger's new token; with `auth: url`, the URL with its secret: shown this once."""

    token: str | None = None


async def create(unit: Unit, new: NewTrigger) -> Made[Trigger]:
    flow = await flows.find(unit, "/flow", new.flow)
    accepts = await _entry(unit, flow, new.entry)
    channel = await _channel(unit, flow.entity, new.channel_id)
    token, text = await _new_token(unit, new)
    auth, secret = await _auth(unit, new.auth, token)
    entity = Trigger(
        id=str(uuid7()),
        project_id=unit.project,
        bot_id=flow.entity.bot_id,
        flow_id=flow.id,
        entry=new.entry,
        channel_id=channel.id,
        group_peer_id=_group(new),
        auth=auth,
    )
    stored = await unit.add(entity, extra={ACCEPTS: accepts}, uses=[flow.entity, channel.entity])
    once = {"body_example": body_example(stored, text), **({"token": text} if text else {})}
    return Made(stored, once | _url_once(unit, stored, secret))


async def change(unit: Unit, stored: Stored[Trigger], patch: TriggerPatch) -> Made[Trigger]:
    given, changed, extra, secret = patch.given(), dict[str, Any](), stored.extra, None
    flow = await unit.load(Flow, stored.entity.flow_id)
    if "entry" in given:
        changed["entry"], extra = patch.entry, {ACCEPTS: await _entry(unit, flow, patch.entry)}
    if "channel_id" in given:
        changed["channel_id"] = (await _channel(unit, flow.entity, patch.channel_id)).id
    if "peer" in given:
        changed["group_peer_id"] = _group(patch)
    if given.keys() & {"auth", "token_id"}:
        changed["auth"], secret = await _auth(unit, patch.auth, patch.token_id)
        changed["state"] = "active" if patch.auth == "url" or patch.token_id else "needs_token"
    entity = stored.entity.model_copy(update=changed)
    channel = await _channel(unit, flow.entity, entity.channel_id)
    saved = await unit.save(entity, extra=extra, uses=[flow.entity, channel.entity])
    return Made(saved, _url_once(unit, saved, secret))


async def remove(unit: Unit, stored: Stored[Trigger]) -> None:
    """With what was kept of its requests."""
    await unit.remove(stored.entity)
    await postgres_trigger_requests.forget(unit.connection, stored.id)


def show(stored: Stored[Trigger], site: Site) -> dict[str, Any]:
    """With the URL and the body to copy; a new token stands in the body only in the answer that made it."""
    shown, trigger = show_entity(stored, site), stored.entity
    return shown | {
        "auth": {name: value for name, value in shown["auth"].items() if name not in SECRETS},
        "url": _url(stored, site, SECRET_PLACE if trigger.auth.url_sha256 else None),
        "body_example": body_example(stored, None),
        "hint": hint(trigger),
    }


def _url(stored: Stored[Trigger], site: Site, secret: str | None) -> str:
    return site.url("run", stored.id if secret is None else f"{stored.id}.{secret}")


def _url_once(unit: Unit, stored: Stored[Trigger], secret: str | None) -> dict[str, Any]:
    return {} if secret is None else {"url": _url(stored, unit.site, secret)}


def body_example(stored: Stored[Trigger], token: str | None) -> dict[str, Any]:
    """A complete body of a call."""
    accepts: dict[str, str] = stored.extra.get(ACCEPTS, {})
    body: dict[str, Any] = {} if stored.entity.auth.scheme == "url" else {"token": token or TOKEN_PLACE}
    body["peer_id"] = stored.entity.group_peer_id or PEER_PLACE
    body["variables"] = {name: EXAMPLES.get(kind.rstrip("!")) for name, kind in accepts.items()}
    return body


def hint(trigger: Trigger) -> str:
    """What the caller still has to fill in, and what a trigger from before URLs had a secret still needs."""
    said = "peer_id: fill in the id that the channel gave the person; they must have talked to the bot before."
    if trigger.group_peer_id is not None:
        said = "peer_id is filled in: the chosen group chat."
    return said if trigger.told_id is not None else f"{said} {OLD_URL}"


def _group(given: TriggerFields) -> str | None:
    return given.peer.group if isinstance(given.peer, Group) else None


async def _entry(unit: Unit, flow: Stored[Flow], entry: str) -> dict[str, str]:
    accepts = await unit.site.checks.webhook_entry(await flows.current_document(unit, flow), entry)
    if accepts is None:
        raise errors.invalid("/entry", f"The flow {flow.entity.slug} has no trigger {entry!r} of type webhook.")
    return dict(accepts)


async def _channel(unit: Unit, flow: Flow, id: str | None) -> Stored[Channel]:
    channels = await postgres_entities.matching(unit.connection, Channel, flow.project_id, {"bot_id": flow.bot_id})
    chosen = [channel for channel in channels if id in (None, channel.id)]
    if not chosen:
        raise errors.invalid("/channel_id", "The bot has no such channel.")
    if len(chosen) > 1:
        raise errors.invalid("/channel_id", "The bot has several channels: choose the one to write in.")
    return chosen[0]


async def _new_token(unit: Unit, new: NewTrigger) -> tuple[str | None, str | None]:
    """Id of the trigger's token, and its text if it was made just now."""
    if new.new_token is None:
        return new.token_id, None
    made = await tokens.create(unit, tokens.NewToken(name=new.new_token.name, scopes=(EXECUTE,)))
    return made.stored.id, str(made.once["token"])


async def _auth(unit: Unit, scheme: Literal["token", "url"], token_id: str | None) -> tuple[TriggerAuth, str | None]:
    """How callers prove themselves, and the secret for the URL where that is how."""
    if scheme == "url":
        secret = generate_url_secret()
        return TriggerAuth(scheme="url", url_sha256=digest(secret)), secret
    if token_id is None:
        return TriggerAuth(), None
    token = await unit.named(Token, "/token_id", token_id, lock="FOR SHARE")
    if not {EXECUTE, "admin"} & set(token.entity.scopes):
        raise errors.invalid("/token_id", f"The token {token.entity.name!r} lacks the scope {EXECUTE}.")
    return TriggerAuth(token_id=token.id), None


RESOURCE = Resource(
    noun="triggers",
    model=Trigger,
    new=NewTrigger,
    patch=TriggerPatch,
    create=create,
    change=change,
    show=show,
    remove=remove,
    filters={"bot": "bot_id", "flow": "flow_id", "state": "state"},
    also=Instructions,
    once=TriggerMade,
    checked=True,
)
