"""The consumer groups of the services that keep checkpoints: what Kafka remembers of how far each of them was."""

from __future__ import annotations

from collections.abc import Mapping

from contracts import actions, commands, events, findings, inbound

GROUPS: Mapping[str, Mapping[str, str]] = {
    "flow-engine": {inbound.TOPIC.name: "flow-engine"},
    "dispatcher": {actions.TOPIC.name: "dispatcher-actions", events.TOPIC.name: "dispatcher-events"},
    "registry": {findings.TOPIC.name: "switchhook.registry.findings"},
}
"""Service -> topic -> the group in which its replicas share the topic."""

BRIDGE: Mapping[str, str] = {commands.TOPIC.name: "switchhook-ingress-commands"}
"""The same of ingress, which keeps no checkpoint: Kafka keeps its position."""
