"""What is published again, and what is left alone."""

from __future__ import annotations

from registry.publishing.audit import ahead, behind
from registry.writing.topic_tail import ENDED

TABLE = {("bot", "same"): (1, 3), ("bot", "older"): (1, 3), ("bot", "gone"): (1, 3), ("bot", "missing"): (1, 3),
         ("bot", "newer"): (1, 3)}  # fmt: skip
TOPIC = {"bot/same": (1, 3), "bot/older": (1, 2), "bot/gone": ENDED, "bot/newer": (1, 4), "bot/unknown": (1, 9)}


def test_what_the_topic_shows_older_or_not_at_all_is_published_again() -> None:
    assert behind(TABLE, TOPIC) == [("bot", "older"), ("bot", "gone"), ("bot", "missing")]


def test_what_the_topic_shows_newer_is_told_and_left_alone() -> None:
    assert ahead(TABLE, TOPIC) == [("bot", "newer")]


def test_a_new_generation_is_published_over_all_of_the_old_one() -> None:
    restored = {entity: (2, version) for entity, (_, version) in TABLE.items()}
    assert len(behind(restored, TOPIC)) == len(TABLE)
    assert ahead(restored, TOPIC) == []
