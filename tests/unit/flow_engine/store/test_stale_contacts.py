"""Whose fault it is that a row is not as it was read."""

from __future__ import annotations

from flow_engine.errors import StaleContact, StaleConversation
from servicekit.loop.infrastructure import is_infrastructure


def test_what_others_change_meanwhile_is_nobodys_fault() -> None:
    assert is_infrastructure(StaleContact("it was changed"))
    assert not is_infrastructure(StaleConversation("two owners"))
