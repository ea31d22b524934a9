"""A destination's circuit."""

from __future__ import annotations

from dispatcher.model.delivery import OPENS_AFTER
from dispatcher.scheduling.breaker import FIRST_SECONDS, LONGEST_SECONDS, Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(OPENS_AFTER):
        breaker.started()
        breaker.failed(now)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker()
    assert [breaker.failed(0.0) for _ in range(OPENS_AFTER)] == [None] * (OPENS_AFTER - 1) + [FIRST_SECONDS]
    assert not breaker.allows(FIRST_SECONDS - 0.1)
    assert breaker.waits(1.0) == FIRST_SECONDS - 1


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(3 * OPENS_AFTER):
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.allows(0.0)
    assert breaker.waits(0.0) == 0


def test_half_open_lets_one_probe_through() -> None:
    breaker = opened()
    assert breaker.allows(FIRST_SECONDS)
    breaker.started()
    assert not breaker.allows(FIRST_SECONDS)
    breaker.succeeded()
    assert breaker.allows(FIRST_SECONDS)


def test_each_failed_probe_doubles_the_wait_up_to_a_limit() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(8):
        now += breaker.waits(now)
        breaker.started()
        waits.append(breaker.failed(now))
    assert waits == [10, 20, 40, 80, 160, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]
    breaker.succeeded()
    assert [breaker.failed(now) for _ in range(OPENS_AFTER)][-1] == FIRST_SECONDS


def test_attempts_begun_before_it_opened_do_not_prolong_it() -> None:
    breaker = opened()
    assert breaker.failed(3.0) is None
    assert breaker.waits(3.0) == FIRST_SECONDS - 3


def test_a_probe_that_came_to_nothing_leaves_room_for_another() -> None:
    breaker = opened()
    breaker.started()
    breaker.abandoned()
    assert breaker.allows(FIRST_SECONDS)
