"""What an operator reads about a registry whose database is older than its topic."""

from __future__ import annotations

from registry.publishing.housekeeping import went_back


def test_nothing_is_said_while_the_table_is_as_new() -> None:
    assert went_back(0, []) is None


def test_what_the_table_lacks_is_named() -> None:
    said = went_back(2, ["bot/b", "token/t"]) or ""
    assert "2 entities are newer there" in said
    assert "2 are unknown to it (bot/b, token/t), whose tokens are refused" in said
    assert "switchhook-ops checkpoints accept-restore registry" in said


def test_of_many_some_are_named() -> None:
    assert "(bot/0, bot/1, bot/2, bot/3, bot/4 and 2 more)" in (went_back(0, [f"bot/{n}" for n in range(7)]) or "")
