"""Changes of a contact."""

from __future__ import annotations

import orjson

from contracts.people import Profile
from flow_engine.state.patches import Patch, dumps, patched, profile_change, split_profile
from flowlang.model import Contact, PatchContact

ANNA = Contact("c1", {"name": "Anna", "email": "a@example.com"}, {"lecture": "3"}, ["new"], [])


def test_the_last_write_per_attribute_wins() -> None:
    patch = Patch()
    patch.add(PatchContact({"variables.a": 1, "profile.city": "Riga"}, add_tags=("x",)))
    patch.add(PatchContact({"variables.a": 2, "profile.city": None, "profile.phone": "+371"}, remove_tags=("x",)))
    assert orjson.loads(patch.encode()) == {
        "columns": {"phone": "+371"},
        "profile_cleared": ["city"],
        "variables": {"a": 2},
        "tags_removed": ["x"],
    }


def test_a_contact_is_changed_as_the_patch_says() -> None:
    change = PatchContact(
        {"variables.lecture": None, "profile.city": "Riga"}, add_tags=("vip", "new"), remove_tags=("x",)
    )
    after = patched(ANNA, change)
    assert after == Contact("c1", {**ANNA.profile, "city": "Riga"}, {}, ["new", "vip"], [])
    assert ANNA.variables == {"lecture": "3"}


def test_what_a_channel_does_not_say_is_not_cleared() -> None:
    assert profile_change(ANNA, Profile(name="Anna")) is None
    assert profile_change(ANNA, Profile(name="Ann")) == PatchContact({"profile.name": "Ann"})


def test_looked_up_fields_have_columns() -> None:
    columns, rest = split_profile({"name": "Anna", "phone": "1", "unheard_of": "x", "city": None})
    assert columns == {"external_id": None, "phone": "1", "email": None}
    assert rest == {"name": "Anna"}


def test_nul_characters_never_reach_postgres() -> None:
    assert dumps({"a\x00": ["b\x00c", {"d": "\x00"}]}) == '{"a":["bc",{"d":""}]}'
    assert orjson.loads(dumps({"a": "\\u0000"})) == {"a": "\\u0000"}
