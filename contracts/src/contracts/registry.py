"""`switchhook.registry.v1`: the current registry, compacted, one partition. Key: `<kind>/<entity id>`.

The value is an `EntityRecord`; a delete is a record with `deleted`, followed by a null after 24 h. Versions only grow,
over delete and re-create too; a reader applies a record only if (generation, version) is higher than what it knows.
What is secret is `Sealed`: ciphertext under the key-encryption key, which the engine never has (guarantees.md 8.1).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from contracts.actions import WebhookFormat
from contracts.inbound import ChannelType
from contracts.model import Model
from contracts.people import Person
from contracts.topic import DAY_MS, HOUR_MS, Topic

ENTITY_LIMIT = 256 * 1024
SNAPSHOT_KEY = "_snapshot"

EntityKind = Literal[
    "project",
    "token",
    "bot",
    "channel",
    "flow",
    "flow_version",
    "trigger",
    "hook_url",
    "api_call",
    "endpoint",
    "secret",
]
Scope = Literal[
    "admin", "flows:execute", "bots:converse", "data:read", "data:write", "agents:chat", "deliveries:read", "deliveries:write"
]  # fmt: skip


class Sealed(Model):
    """AES-256-GCM under a data key that is wrapped by the KEK `kek_id`. All base64.

    The AAD is `project|entity|field`: the ids of both, and the name of the field that holds it (`credentials`,
    `signing_secret`, `secrets`, `value`).
    """

    kek_id: str
    wrapped_key: str
    nonce: str
    ciphertext: str


class Project(Model):
    """`signing_secret` signs webhooks that a step posts to an inline URL (a whsec_ string inside)."""

    id: str
    name: str
    slug: str
    signing_secret: Sealed
    rate_limits: dict[str, Any] = Field(default_factory=dict)


class Token(Model):
    """`sha256` is the hex digest of the whole token; revoked means deleted.

    `replaced_by`: it was rotated, and until it expires it may do what that token may (its triggers name that one).
    """

    id: str
    project_id: str
    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    expires_at: str | None = None
    allowed_cidrs: tuple[str, ...] = ()
    replaced_by: str | None = None


class Bot(Model):
    id: str
    project_id: str
    name: str
    photo: str | None = None
    variables: dict[str, Any] = Field(default_factory=dict)


class Channel(Model):
    """`inbound_sha256` is the digest of the random part of a platform's inbound URL. `credentials` seals a JSON object.

    That has the credentials of the type's descriptor (libs/channels) and `inbound_url`; `secret_token_sha256` is the digest
    of the one that is compared without being opened. Telegram: {token, secret_token, inbound_url}. `external_id` is the
    bot's own id there (number as text), `url` its public page.
    """

    id: str
    project_id: str
    bot_id: str
    type: ChannelType
    name: str
    api_base_url: str | None = None
    inbound_sha256: str | None = None
    secret_token_sha256: str | None = None
    credentials: Sealed | None = None
    external_id: str | None = None
    url: str | None = None
    allowed_origins: tuple[str, ...] = ()
    state: Literal["active", "paused"] = "active"


class Flow(Model):
    """`published` is the version that new sessions start on; None: never published."""

    id: str
    project_id: str
    bot_id: str
    slug: str
    name: str
    published: int | None = None


class FlowVersion(Model):
    """Immutable; entity id `<flow id>/<n>`."""

    flow_id: str
    project_id: str
    bot_id: str
    version: int
    document: dict[str, Any]


class TriggerAuth(Model):
    """`token`: the trigger's own token. `url`: who knows the URL. Else a signature scheme with a sealed secret."""

    scheme: Literal["token", "url"] = "token"
    token_id: str | None = None


class Trigger(Model):
    """Binds a `type: webhook` trigger of a flow to a channel and a way to prove who calls."""

    id: str
    project_id: str
    bot_id: str
    flow_id: str
    entry: str
    channel_id: str | None = None
    group_peer_id: str | None = None
    auth: TriggerAuth
    state: Literal["active", "needs_token"] = "active"


class HookUrl(Model):
    """A generated URL made by the API: it works as long as this entity exists."""

    id: str
    project_id: str
    bot_id: str
    command: str
    content: Any = None
    person: Person | None = None
    redirect_to: str | None = None
    expires_at: str | None = None
    single_use: bool = False
    confirm: bool = False


class ApiCall(Model):
    """An API that flows call by its name. Parameters go into the query on GET, into a JSON body on POST. `auth` seals a header value."""

    id: str
    project_id: str
    name: str
    description: str | None = None
    method: Literal["GET", "POST"]
    url: str
    params: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    auth_secret: str | None = None
    """Name of a secret whose value is the Authorization header."""
    timeout_seconds: int = Field(default=10, ge=1, le=30)
    response: Literal["envelope", "raw"] = "envelope"
    idempotent: bool = False


class Endpoint(Model):
    """A subscription. `secrets` are sealed whsec_ strings, the newest first; while two are valid both sign."""

    id: str
    project_id: str
    name: str
    url: str
    events: tuple[str, ...]
    bots: tuple[str, ...] = ()
    filter: str | None = None
    format: WebhookFormat = "switchhook"
    template: str | None = None
    """The Liquid body of the format `template`."""
    headers: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[Sealed, ...]
    ordered: bool = False
    max_in_flight: int = Field(default=16, ge=1, le=256)
    rate_limit: dict[str, int] | None = None
    schedule_seconds: tuple[int, ...] | None = None
    timeout_seconds: int = Field(default=15, ge=1, le=30)
    title_map: dict[str, str] = Field(default_factory=dict)
    state: Literal["enabled", "disabled"] = "enabled"


class Secret(Model):
    """A named value that flows and API calls refer to; the engine sees the name only."""

    id: str
    project_id: str
    name: str
    value: Sealed


class EntityRecord(Model):
    """One entity as of now."""

    kind: EntityKind
    id: str
    project_id: str
    generation: int = 1
    version: int
    deleted: bool = False
    data: dict[str, Any] = Field(default_factory=dict)


class Snapshot(Model):
    """Written at start and every hour: a view is complete once it has read at least `counts` entities of each kind."""

    generation: int
    counts: dict[str, int]
    stack_id: str | None = None
    """Which installation's registry this is; from before there were ids: none."""


ENTITY_MODELS: dict[str, type[Model]] = {
    "project": Project, "token": Token, "bot": Bot, "channel": Channel, "flow": Flow, "flow_version": FlowVersion,
    "trigger": Trigger, "hook_url": HookUrl, "api_call": ApiCall, "endpoint": Endpoint, "secret": Secret,
}  # fmt: skip


def entity_key(kind: str, id: str) -> str:
    """The record's key: `token/0198…`, `flow_version/<flow>/<n>`."""
    return f"{kind}/{id}"


TOPIC = Topic(
    name="switchhook.registry.v1",
    title="The current registry",
    key="<kind>/<entity id>",
    partitions=1,
    record=EntityRecord,
    producers=("registry",),
    consumers=("ingress", "flow-engine", "dispatcher", "registry"),
    retention_ms=-1,
    config={
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(HOUR_MS),
        "max.compaction.lag.ms": str(DAY_MS),
        "delete.retention.ms": str(DAY_MS),
    },
)
