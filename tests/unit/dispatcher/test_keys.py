"""Deliveries' keys."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from dispatcher.model.keys import derived_key, key_of


def test_a_key_is_equal_to_the_standard_librarys() -> None:
    text = "018f6b1c-0c5b-7c3a-9d57-0123456789ab"
    assert key_of(text) == UUID(text)
    assert hash(key_of(text)) == hash(UUID(text))
    assert str(key_of(text)) == text


@pytest.mark.parametrize("text", ["", "order-17", "018f6b1c-0c5b-7c3a-9d57-0123456789a", "\u0661" * 32])
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        key_of(text)


def test_an_events_delivery_has_the_same_key_for_ever_and_another_for_each_endpoint() -> None:
    first = derived_key("event-1", "a")
    assert first == uuid5(uuid5(NAMESPACE_URL, "urn:switchhook:delivery"), "event-1/a")
    assert len({first, derived_key("event-1", "b"), derived_key("event-2", "a")}) == 3
