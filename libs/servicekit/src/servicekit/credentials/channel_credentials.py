"""A channel's credentials, opened: registry, ingress and dispatcher each need some of them."""

from __future__ import annotations

import orjson

from contracts.registry import Channel
from servicekit.credentials.sealing import KeyRing

FIELD = "credentials"


def open_credentials(keys: KeyRing, channel: Channel) -> dict[str, str]:
    """The credentials by name; none for a channel that has none. Raises SealError when their key is not here."""
    if channel.credentials is None:
        return {}
    plain = keys.open_sealed(channel.credentials, project=channel.project_id, entity=channel.id, field=FIELD)
    opened = orjson.loads(plain)
    return {name: value for name, value in opened.items() if isinstance(value, str)} if isinstance(opened, dict) else {}
