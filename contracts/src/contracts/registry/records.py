"""The records of the registry's topic, and the one table of the kinds of entities."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from contracts.model import Model
from contracts.registry.agent import Agent
from contracts.registry.api_call import ApiCall
from contracts.registry.bot import Bot
from contracts.registry.channel import Channel
from contracts.registry.endpoint import Endpoint
from contracts.registry.entity import Entity
from contracts.registry.flow import Flow, FlowVersion
from contracts.registry.hook_url import HookUrl
from contracts.registry.project import Project
from contracts.registry.secret import Secret
from contracts.registry.segment import Segment
from contracts.registry.token import Token
from contracts.registry.trigger import Trigger
from contracts.topic import DAY_MS, HOUR_MS, Topic

ENTITY_LIMIT = 256 * 1024
"""Bytes of a record's value."""
SNAPSHOT_KEY = "_snapshot"

KINDS: tuple[type[Entity], ...] = (
    Project, Token, Bot, Channel, Flow, FlowVersion, Trigger, HookUrl, ApiCall, Endpoint, Secret, Segment,
    Agent,
)  # fmt: skip
"""The kinds of entities. A new one: docs/how-to/extend/entity.md."""
ENTITY_MODELS: dict[str, type[Entity]] = {model.KIND: model for model in KINDS}
"""Kind -> model."""


def _known(kind: str) -> str:
    if kind not in ENTITY_MODELS:
        raise ValueError(f"no kind of entity; there are {', '.join(ENTITY_MODELS)}")
    return kind


EntityKind = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(ENTITY_MODELS)})]


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
    refused_tokens: tuple[str, ...] | None = None
    """Ids of tokens that the topic has and the registry's restored database lacks: nobody is let in by them until an operator
    has said what holds."""


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
VIEW_TRUSTED_SECONDS = DAY_MS / 2 / 1000
"""A reader that has not been at the topic's end for half of what tombstones stay may have missed one, and reads it again."""
