"""Derived ids are UUIDs of version 5, as any other program would make them."""

from __future__ import annotations

from uuid import UUID, uuid5

from contracts.ids import NAMESPACE, derived_id, effect_id


def test_a_derived_id_is_the_uuid5_of_its_parts() -> None:
    for number in range(500):
        name = f"effect\x1fbot/channel/{number}\x1f7\x1f3"
        assert derived_id("effect", f"bot/channel/{number}", 7, 3) == str(uuid5(NAMESPACE, name))
    assert UUID(effect_id("b/c/ü", 0, 0)).version == 5
