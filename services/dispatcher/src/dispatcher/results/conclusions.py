"""From what one attempt came to, to what becomes of the delivery. Pure: time and randomness are given."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from dispatcher.model.delivery import Attempt, Delivery, Result
from dispatcher.model.retry_schedule import next_delay
from dispatcher.requests import Reading

LONGEST_DELAY = 3600.0
"""Seconds; in place of a delay that is no number."""


def conclude(
    delivery: Delivery,
    reading: Reading,
    attempt: Attempt,
    *,
    now: datetime,
    random_unit: float,
    own_delays: tuple[int, ...] | None,
) -> Result:
    """The result of an attempt that was made."""
    result = Result(
        delivery,
        reading.verdict,
        code=reading.code,
        detail=reading.detail,
        status=attempt.status,
        attempt=attempt,
        pause=reading.pause,
        pause_reason=reading.pause_reason,
        answer=reading.answer,
        provider_message_id=reading.provider_message_id,
        unreachable=reading.unreachable,
        destination_failed=reading.destination_failed,
        took_ms=attempt.took_ms,
        chat_waits=reading.chat_waits,
        chat_or_bot=reading.chat_or_bot,
    )
    if reading.verdict == "retry":
        result.delay = next_delay(
            delivery.kind.schedule,
            delivery.attempts - delivery.base,
            random_unit=random_unit,
            retry_after=reading.retry_after,
            left=seconds_left(delivery, now),
            own_delays=own_delays,
        )
        if result.delay is None:
            result.outcome = "exhausted"
    return result


UNRECORDABLE = "unrecordable"


def without_the_answer(result: Result) -> Result | None:
    """The same end with nothing in it that the other side sent, for one that could not be recorded; None: it is that
    already. Who waits for the answer itself is told that there is none, and the request is not made again for it."""
    if result.code == UNRECORDABLE:
        return None
    lost = result.delivery.kind.answered and result.final
    attempt = result.attempt and result.attempt._replace(status=None, request=b"{}", response=None)
    delay = result.delay if result.delay is None or math.isfinite(result.delay) else LONGEST_DELAY
    return replace(
        result, outcome="exhausted" if lost else result.outcome, code=UNRECORDABLE, detail="What came back cannot be kept.",
        status=None, delay=delay, attempt=attempt, pause=None, pause_reason=None, answer=None,
        provider_message_id=None, request=None,
    )  # fmt: skip


def seconds_left(delivery: Delivery, now: datetime) -> float | None:
    """How long the delivery may still live; None: as long as its schedule."""
    return None if delivery.expires_at is None else (delivery.expires_at - now).total_seconds()


def expired(delivery: Delivery, now: datetime) -> Result | None:
    """The end of a delivery whose time is over, else None."""
    left = seconds_left(delivery, now)
    if left is None or left > 0:
        return None
    return Result(delivery, "exhausted", code="expired", detail="It could not be delivered in the time it had.")


def cut_off(delivery: Delivery) -> Result:
    """The end of a delivery that may have been sent, and may not be sent twice."""
    detail = "Who may have sent it ended before it had an answer, and it is not idempotent: it is not sent again."
    return Result(delivery, "exhausted", code="interrupted", detail=detail)
