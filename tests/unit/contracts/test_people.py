"""The one way in which an identifier of a person is written."""

from __future__ import annotations

import pytest

from contracts.people import IDENTIFIERS, PROFILE_FIELDS, Identifier, identifier


def test_identifiers_are_fields_of_a_profile() -> None:
    assert set(IDENTIFIERS) < set(PROFILE_FIELDS)


@pytest.mark.parametrize(
    ("kind", "told", "written"),
    [
        ("email", "HUGO@Example.COM", "hugo@example.com"),
        ("email", " hugo@example.com ", "hugo@example.com"),
        ("email", " ", None),
        ("phone", "+491701234567", "+491701234567"),
        ("phone", "491701234567", "+491701234567"),
        ("phone", "+49 170 12 34 567", "+491701234567"),
        ("phone", "0049 (0)170/1234-567", "+491701234567"),
        ("phone", "0170 1234567", None),
        ("phone", "+1 (555) 010-0001", "+15550100001"),
        ("phone", "112", None),
        ("phone", "+4917012345678901", None),
        ("phone", "+49170123456x", None),
        ("phone", "+\u0664\u0669170123456", None),
        ("external_id", "Crm-7 ", "Crm-7 "),
        ("external_id", "a\x00b", None),
        ("external_id", "x" * 257, None),
        ("external_id", "", None),
    ],
)
def test_an_identifier_is_written_in_one_way(kind: Identifier, told: str, written: str | None) -> None:
    assert identifier(kind, told) == written
    if written is not None:
        assert identifier(kind, written) == written
