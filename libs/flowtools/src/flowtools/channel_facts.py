"""What a message may be on a type of channel, as a turn is told (flowlang.model.Tools.channel): the engine and simulations alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.discovery import Connectors
from channels.port import Connector
from flowlang.running.parts import TextLimit

NOTHING: Mapping[str, Any] = {}
"""Of a type that is not installed: everything is sent as it is."""


def facts_of(connector: Connector) -> Mapping[str, Any]:
    """`{text_limit, caption_limit, shows}`."""
    limits = connector.descriptor.limits
    return {
        "text_limit": TextLimit(*limits.shortest_text[:2]) if limits.shortest_text else None,
        "caption_limit": TextLimit(*limits.caption[:2]) if limits.caption else None,
        "shows": connector.descriptor.capabilities,
    }


def facts(connectors: Connectors) -> dict[str, Mapping[str, Any]]:
    """By type."""
    return {type: facts_of(connector) for type, connector in connectors.items()}
