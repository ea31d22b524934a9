"""How far looks into lanes go back while rows come in."""

from __future__ import annotations

from datetime import date

import pytest

from dispatcher.store.queues import LaneDays

OLD, OLDER, RECENT = date(2026, 11, 10), date(2026, 11, 2), date(2026, 11, 15)


def test_a_look_says_how_far_lanes_reach_until_others_are_taken() -> None:
    days = LaneDays()
    assert days.since == date.min
    with days.looked_up() as answer:
        answer(RECENT)
    assert days.since == RECENT
    days.forget()
    assert days.since == date.min


def test_a_look_during_which_lanes_were_taken_says_nothing() -> None:
    days = LaneDays()
    with days.looked_up() as answer:
        days.forget()
        answer(RECENT)
    assert days.since == date.min


def test_rows_that_came_while_the_table_was_asked_are_looked_for() -> None:
    """They are of later days than what was known so far, and the table did not have them yet."""
    days = LaneDays()
    with days.looked_up() as answer:
        answer(OLDER)
    with days.looked_up() as answer:
        days.reach(OLD)
        answer(RECENT)
    assert days.since == OLD


def test_rows_that_were_being_written_when_the_table_was_asked_are_looked_for() -> None:
    days = LaneDays()
    days.reach(OLD)
    with days.looked_up() as answer:
        answer(RECENT)
    assert days.since == OLD
    with days.looked_up() as answer:
        answer(RECENT)
    assert days.since == RECENT


def test_a_look_that_failed_is_as_if_there_had_been_none() -> None:
    days = LaneDays()
    days.reach(OLD)
    with pytest.raises(ConnectionResetError), days.looked_up():
        raise ConnectionResetError
    with days.looked_up() as answer:
        answer(RECENT)
    assert days.since == OLD
