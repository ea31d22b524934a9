"""Derived ids are UUIDs of version 5, as any other program would make them."""

from __future__ import annotations

from uuid import RFC_4122, UUID, uuid5

from contracts.ids import NAMESPACE, derived_id, effect_ids, new_id, uuid7


def test_a_derived_id_is_the_uuid5_of_its_parts() -> None:
    for number in range(500):
        name = f"effect\x1fbot/channel/{number}\x1f7\x1f3"
        assert derived_id("effect", f"bot/channel/{number}", 7, 3) == str(uuid5(NAMESPACE, name))


def test_effect_ids_are_derived_ids() -> None:
    made = effect_ids("b/c/ü", 7, "e1")
    assert [made(number) for number in (0, 3, 12)] == [derived_id("effect", "b/c/ü", 7, "e1", n) for n in (0, 3, 12)]


def test_a_new_id_is_a_uuid7_and_they_are_ordered_by_time() -> None:
    before = uuid7()
    made = [UUID(new_id()) for _ in range(500)]
    assert {(id.version, id.variant) for id in made} == {(7, RFC_4122)}
    assert len(set(made)) == 500
    assert before.int >> 80 <= made[0].int >> 80 <= made[-1].int >> 80 <= uuid7().int >> 80
