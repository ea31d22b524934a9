"""When an attempt follows, or that none does. Pure: randomness and time are given."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600
WEBHOOK_SECONDS = (5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Standard Webhooks: the first attempt is at once, then these; 75 h 35 min in all."""
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Schedule:
    """`delays` between attempts, seconds; with `repeat_last` its last one goes on until the delivery expires."""

    delays: tuple[float, ...] = ()
    repeat_last: bool = False
    jitter: float = 0.0
    """The share by which a delay is lengthened or shortened at random."""
    lengthened: bool = False
    """Retry-After lengthens a delay to at most the larger of double and 1 h; else it is obeyed in full."""


ONCE = Schedule()
"""One attempt and no other."""
WEBHOOKS = Schedule(WEBHOOK_SECONDS, jitter=JITTER, lengthened=True)
"""For days; nobody is kept waiting."""


def next_delay(
    schedule: Schedule,
    attempt: int,
    *,
    random_unit: float,
    retry_after: float | None = None,
    left: float | None = None,
    own_delays: tuple[int, ...] | None = None,
) -> float | None:
    """Seconds from the end of attempt number `attempt` (1 is the first) to the next one; None: it was the last.

    `random_unit` is uniform in [0, 1). `left` is how long the delivery may still live; a delay that reaches past it is
    None. `own_delays` are an endpoint's own.
    """
    delays = own_delays if own_delays is not None else schedule.delays
    if attempt > len(delays) and not (schedule.repeat_last and delays):
        return None
    delay = float(delays[min(attempt, len(delays)) - 1])
    delay *= 1 + schedule.jitter * (2 * random_unit - 1)
    if retry_after is not None:
        ceiling = max(2 * delay, HOUR) if schedule.lengthened else retry_after
        delay = max(delay, min(retry_after, ceiling))
    return None if left is not None and delay >= left else delay


def longest(delays: tuple[int, ...] = WEBHOOK_SECONDS) -> float:
    """The longest that a webhook may take from its first attempt to its last, seconds."""
    return sum(delays) * (1 + JITTER)
