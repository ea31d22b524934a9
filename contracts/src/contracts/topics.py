"""Every topic there is."""

from __future__ import annotations

from contracts import actions, closed_sessions, commands, dlq, events, findings, inbound, registry, replies
from contracts.topic import Topic

TOPICS: tuple[Topic, ...] = (
    commands.TOPIC,
    inbound.TOPIC,
    actions.TOPIC,
    events.TOPIC,
    findings.TOPIC,
    replies.TOPIC,
    registry.TOPIC,
    closed_sessions.TOPIC,
    *(dlq.topic_for(service) for service in dlq.SERVICES),
)
