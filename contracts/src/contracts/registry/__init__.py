"""`switchhook.registry.v1`: the current registry, compacted, one partition. Key: `<kind>/<entity id>`.

The value is an `EntityRecord`; a delete is a record with `deleted`, followed by a null after 24 h. Versions only grow,
over delete and re-create too; a reader applies a record only if (generation, version) is higher than what it knows.
What is secret is `Sealed`: ciphertext under the key-encryption key, which the engine never has (guarantees.md 8.1).

One module for each kind of entity; `entity` has what they share, `records` the table of them all and the topic.
"""

from contracts.registry.agent import Agent
from contracts.registry.api_call import ApiCall
from contracts.registry.bot import Bot, OptOut
from contracts.registry.channel import Channel
from contracts.registry.endpoint import PROJECT_WEBHOOK, Endpoint
from contracts.registry.entity import HIDDEN, Entity, Owned, Sealed, in_project
from contracts.registry.flow import Flow, FlowVersion, Schedule
from contracts.registry.hook_url import HookUrl
from contracts.registry.project import Project
from contracts.registry.records import (
    ENTITY_LIMIT,
    ENTITY_MODELS,
    SNAPSHOT_KEY,
    TOPIC,
    VIEW_TRUSTED_SECONDS,
    EntityKind,
    EntityRecord,
    Snapshot,
    entity_key,
)
from contracts.registry.secret import Secret
from contracts.registry.segment import Segment
from contracts.registry.token import Scope, Token
from contracts.registry.trigger import Trigger, TriggerAuth

__all__ = [
    "ENTITY_LIMIT",
    "ENTITY_MODELS",
    "HIDDEN",
    "PROJECT_WEBHOOK",
    "SNAPSHOT_KEY",
    "TOPIC",
    "VIEW_TRUSTED_SECONDS",
    "Agent",
    "ApiCall",
    "Bot",
    "Channel",
    "Endpoint",
    "Entity",
    "EntityKind",
    "EntityRecord",
    "Flow",
    "FlowVersion",
    "HookUrl",
    "OptOut",
    "Owned",
    "Project",
    "Schedule",
    "Scope",
    "Sealed",
    "Secret",
    "Segment",
    "Snapshot",
    "Token",
    "Trigger",
    "TriggerAuth",
    "entity_key",
    "in_project",
]
