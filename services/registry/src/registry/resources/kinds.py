"""The kinds of entities that the API manages. A new one: docs/how-to/extend/entity.md."""

from __future__ import annotations

from registry.resources import (
    agents,
    api_calls,
    bots,
    channels,
    endpoints,
    flows,
    hook_urls,
    projects,
    secret_values,
    segments,
    tokens,
    triggers,
)
from registry.resources.resource import AnyResource

RESOURCES: tuple[AnyResource, ...] = (
    projects.RESOURCE,
    tokens.RESOURCE,
    bots.RESOURCE,
    channels.RESOURCE,
    flows.RESOURCE,
    triggers.RESOURCE,
    hook_urls.RESOURCE,
    api_calls.RESOURCE,
    endpoints.RESOURCE,
    secret_values.RESOURCE,
    segments.RESOURCE,
    agents.RESOURCE,
)
