"""What the registry says about targets: deleted is not the same as never seen."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from contracts.registry import Secret
from dispatcher.errors import NoRequest, NotYetKnown
from dispatcher.model.catalogue import Catalogue
from servicekit.credentials.sealing import KeyRing
from support.deliveries import (
    API_CALL,
    CHANNEL,
    ENDPOINT,
    KEYS,
    PROJECT,
    Registry,
    api_call,
    channel,
    endpoint,
    sealed_values_of,
    secret,
    webhook_secret,
)

URL = "https://api.example.com/seats"


def test_deleted_ends_a_delivery_and_unknown_makes_it_wait() -> None:
    registry = Registry()
    registry.gone.add(("api_call", API_CALL))
    catalogue = Catalogue(registry, KEYS)
    with pytest.raises(NoRequest, match="The api call was deleted") as refused:
        catalogue.api_call(API_CALL, PROJECT)
    assert (refused.value.outcome, refused.value.code) == ("cancelled", "api-call-deleted")
    with pytest.raises(NotYetKnown):
        catalogue.endpoint(ENDPOINT, PROJECT)


def test_what_is_another_projects_is_refused_before_a_secret_is_opened() -> None:
    other_ring = KeyRing(b64encode(bytes(32)).decode())  # It opens nothing, and is not asked.
    catalogue = Catalogue(Registry(endpoint(), channel(credentials={"token": "1:a"}), api_call()), other_ring)
    looks: list[Any] = [
        lambda: catalogue.endpoint(ENDPOINT, "another project"),
        lambda: catalogue.channel(CHANNEL, "another project"),
        lambda: catalogue.api_call(API_CALL, "another project"),
    ]
    for look in looks:
        with pytest.raises(NoRequest, match="belongs to another project") as refused:
            look()
        assert (refused.value.outcome, refused.value.code) == ("exhausted", "other-project")


def test_what_only_decorates_may_be_missing() -> None:
    catalogue = Catalogue(Registry(), KEYS)
    assert (catalogue.bot("b"), catalogue.known_channel("c"), catalogue.known_endpoint("e")) == (None, None, None)


def test_a_changed_entity_is_opened_anew() -> None:
    catalogue = Catalogue(Registry(), KEYS)
    before, after = endpoint(secrets=(webhook_secret(1),)), endpoint(secrets=(webhook_secret(2), webhook_secret(1)))
    assert len(catalogue.endpoint_keys(before)) == 1
    assert catalogue.endpoint_keys(before) is catalogue.endpoint_keys(before)
    assert catalogue.endpoint_keys(after) == (bytes([2]) * 32, bytes([1]) * 32)


def test_a_channels_credentials_are_opened() -> None:
    catalogue = Catalogue(Registry(), KEYS)
    assert catalogue.credentials(channel(credentials={"token": "1:a"})) == {"token": "1:a"}
    assert catalogue.credentials(channel(id="another")) == {}


def test_a_key_that_is_not_in_the_ring_may_still_come() -> None:
    other = KeyRing(b64encode(bytes(32)).decode())
    with pytest.raises(NotYetKnown):
        Catalogue(Registry(), other).endpoint_keys(endpoint())


def test_a_secret_moved_to_another_place_does_not_open() -> None:
    key = secret("key", "abc123")
    moved = Secret(id="secret-moved", project_id=PROJECT, name="moved", value=key.value)
    catalogue = Catalogue(Registry(key, moved), KEYS)
    assert catalogue.secret(PROJECT, "key", URL) == "abc123"
    with pytest.raises(NotYetKnown):
        catalogue.secret(PROJECT, "moved", URL)
    with pytest.raises(NoRequest):
        catalogue.secret("another project", "key", URL)


def test_a_secret_goes_to_its_own_hosts_only() -> None:
    key = secret("key", "abc123").model_copy(update={"hosts": ("https://api.example.com",)})
    catalogue = Catalogue(Registry(key), KEYS)
    assert catalogue.secret(PROJECT, "key", "https://api.example.com:443/other?a=1") == "abc123"
    for elsewhere in ("https://evil.example/", "http://api.example.com/", "https://api.example.com:8443/"):
        with pytest.raises(NoRequest, match="not for this host"):
            catalogue.secret(PROJECT, "key", elsewhere)


def test_values_that_changed_are_opened_again() -> None:
    first = sealed_values_of(endpoint(headers={"X-Key": "one"}))
    catalogue = Catalogue(Registry(first), KEYS)
    assert catalogue.sent_values(first).headers == {"X-Key": "one"}
    assert catalogue.endpoint_keys(first)
    assert catalogue.sent_values(sealed_values_of(endpoint(headers={"X-Key": "two"}))).headers == {"X-Key": "two"}
