"""When an attempt follows."""

from __future__ import annotations

from itertools import count

import pytest

from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.retry_schedule import HOUR, WEBHOOKS, longest, next_delay
from dispatcher.sending.api_calls import CALL_SECONDS

MESSAGES = DELIVERY_KINDS["message"].schedule
MIDDLE = 0.5
"""The random number that changes nothing."""


def delays(kind: str, *, life: float | None = None, random_unit: float = MIDDLE) -> list[float]:
    """All the delays of a delivery whose attempts take no time."""
    found, passed = list[float](), 0.0
    for attempt in count(1):
        delay = next_delay(
            DELIVERY_KINDS[kind].schedule,
            attempt,
            random_unit=random_unit,
            left=None if life is None else life - passed,
        )
        if delay is None:
            return found
        found.append(delay)
        passed += delay
    raise AssertionError


@pytest.mark.parametrize("kind", ["event", "webhook"])
def test_a_webhook_is_tried_ten_times_in_three_days(kind: str) -> None:
    hours = [2, 5, 10, 14, 20, 24]
    assert delays(kind) == [5, 300, 1800, *(each * HOUR for each in hours)]
    assert sum(delays(kind)) == 75 * HOUR + 35 * 60 + 5


def test_a_message_is_tried_until_it_expires() -> None:
    assert delays("message", life=120) == [1, 2, 5, 10, 30, 30, 30]


def test_a_call_gives_up_after_half_a_minute() -> None:
    assert delays("call", life=CALL_SECONDS) == [0.5, 1, 2, 4, 8, 8]


@pytest.mark.parametrize("kind", ["acknowledge", "channel_call"])
def test_a_courtesy_is_tried_once(kind: str) -> None:
    assert delays(kind) == []


def test_webhooks_are_spread_by_a_fifth_and_messages_are_not() -> None:
    assert next_delay(WEBHOOKS, 2, random_unit=0.0) == pytest.approx(240)
    assert next_delay(WEBHOOKS, 2, random_unit=0.999999) == pytest.approx(360, rel=1e-4)
    assert next_delay(MESSAGES, 3, random_unit=0.0) == next_delay(MESSAGES, 3, random_unit=0.999999) == 5


@pytest.mark.parametrize(
    ("attempt", "asked", "given"),
    [
        (1, 1, 5),  # Never shorter than the schedule's own.
        (1, 60, 60),
        (1, 2 * HOUR, HOUR),  # An hour at most, where double is less.
        (4, 3 * HOUR, 3 * HOUR),
        (4, 9 * HOUR, 4 * HOUR),  # Double at most, where an hour is less.
        (9, 1e9, 48 * HOUR),
    ],
)
def test_an_endpoints_retry_after_lengthens_within_bounds(attempt: int, asked: float, given: float) -> None:
    assert next_delay(WEBHOOKS, attempt, random_unit=MIDDLE, retry_after=asked) == given


def test_a_platforms_retry_after_is_obeyed_in_full() -> None:
    assert next_delay(MESSAGES, 1, random_unit=MIDDLE, retry_after=600) == 600
    assert next_delay(MESSAGES, 1, random_unit=MIDDLE, retry_after=600, left=300) is None


def test_a_retry_after_adds_no_attempt() -> None:
    assert next_delay(WEBHOOKS, 10, random_unit=MIDDLE, retry_after=10) is None


def test_an_endpoint_has_its_own_schedule() -> None:
    assert [next_delay(WEBHOOKS, n, random_unit=MIDDLE, own_delays=(10, 20)) for n in (1, 2, 3)] == [10, 20, None]
    assert next_delay(WEBHOOKS, 1, random_unit=MIDDLE, own_delays=()) is None
    assert longest((10, 20)) == pytest.approx(36)
    assert longest() < 4 * 24 * HOUR
