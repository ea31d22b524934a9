"""The credentials of a channel: taken as its descriptor has them, made at random, sealed, with their digests beside."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from hashlib import sha256

import orjson
from pydantic import SecretStr

from channels.port import Connector
from contracts.registry import Channel
from registry import errors
from registry.site import Site
from servicekit.credentials.channel_credentials import FIELD, open_credentials

RANDOM_BYTES = 24
INBOUND_URL = "inbound_url"
"""Among the credentials of every platform's channel: where the platform calls."""


def given(connector: Connector, credentials: Mapping[str, SecretStr], *, complete: bool) -> dict[str, str]:
    """What the user gave, as text; all that there is if `complete`. Raises ProblemError 422, which quotes no value."""
    descriptor = connector.descriptor
    fields = {each.name: each for each in descriptor.of_origin("given")}
    if credentials and not fields:
        raise errors.invalid("/credentials", f"A {descriptor.type} channel has none.")
    values = {name: value.get_secret_value() for name, value in credentials.items()}
    known = set(values) == set(fields) if complete else set(values) <= set(fields)
    if not known or not all(re.fullmatch(fields[name].pattern, value) for name, value in values.items()):
        raise errors.invalid("/credentials", descriptor.credentials_hint)
    return values


def made(connector: Connector, channel: Channel, site: Site) -> dict[str, str]:
    """The inbound URL with its random part, and what the platform is to send along; shown once. In-house: nothing."""
    if connector.in_house:
        return {}
    names = [each.name for each in connector.descriptor.of_origin("made")]
    return {INBOUND_URL: inbound_url(connector, channel, site, _random()), **{name: _random() for name in names}}


def inbound_url(connector: Connector, channel: Channel, site: Site, random: str = "") -> str:
    """Where what a person says comes in, or where sessions begin."""
    path = connector.descriptor.inbound_path.format(channel=channel.id, bot=channel.bot_id, random=random)
    return site.url(path)


def here(site: Site, channel: Channel) -> Channel:
    """The channel with its inbound URL at this installation's address, its path as before. Raises SealError."""
    known = opened(site, channel)
    path = known[INBOUND_URL].partition("/v1/")[2]
    url = site.url(path)
    if url == known[INBOUND_URL]:
        return channel
    return sealed(site, site.connectors[channel.type], channel, {**known, INBOUND_URL: url})


def sealed(site: Site, connector: Connector, channel: Channel, credentials: Mapping[str, str]) -> Channel:
    """The channel with these credentials, the digests that ingress compares, and the bot's id if they tell it."""
    plaintext = orjson.dumps(dict(credentials)).decode()
    random = credentials[INBOUND_URL].rpartition("/")[2]
    identity = connector.platform.identity(credentials) if connector.platform else None
    digested = next((each.name for each in connector.descriptor.credentials if each.digested), None)
    return channel.model_copy(
        update={
            "credentials": site.seal(
                plaintext, project=channel.project_id, entity=channel.id, field=FIELD, after=channel.credentials
            ),
            "external_id": identity or channel.external_id,
            "inbound_sha256": _digest(random),
            "secret_token_sha256": _digest(credentials[digested]) if digested else None,
        }
    )


def opened(site: Site, channel: Channel) -> dict[str, str]:
    """The credentials of a platform's channel. Raises SealError when their key is not here any more."""
    assert channel.credentials is not None, "a platform's channel is made with credentials"
    return open_credentials(site.keys, channel)


def _random() -> str:
    return secrets.token_urlsafe(RANDOM_BYTES)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
