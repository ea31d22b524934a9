"""From what one attempt came to, to what becomes of the delivery. Pure: time and randomness are given."""

from __future__ import annotations

from datetime import datetime

from dispatcher.model.delivery import Attempt, Delivery, Result
from dispatcher.model.retry_schedule import next_delay
from dispatcher.requests import Reading


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


def seconds_left(delivery: Delivery, now: datetime) -> float | None:
    """How long the delivery may still live; None: as long as its schedule."""
    return None if delivery.expires_at is None else (delivery.expires_at - now).total_seconds()


def expired(delivery: Delivery, now: datetime) -> Result | None:
    """The end of a delivery whose time is over, else None."""
    left = seconds_left(delivery, now)
    if left is None or left > 0:
        return None
    return Result(delivery, "exhausted", code="expired", detail="It could not be delivered in the time it had.")
