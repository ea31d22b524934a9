"""When an attempt follows, or that none does. Pure: the dice and the time are given.

Three classes (docs: delivery): a message gives up after minutes and the chat goes on, a call after 30 s, a webhook after
days and blocks nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.model import Kind

HOUR = 3600
WEBHOOK_SECONDS = (5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Standard Webhooks: the first attempt is at once, then these; 75 h 35 min in all."""
MESSAGE_SECONDS = (1, 2, 5, 10, 30)
CALL_SECONDS = (0.5, 1, 2, 4, 8)
CALL_LIMIT = 30.0
"""A call's whole life, seconds."""
MESSAGE_LIMIT = 300.0
"""A message's life where its action names no end, seconds."""
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Schedule:
    """`delays` between attempts; with `repeat_last` its last one goes on until the delivery expires."""

    delays: tuple[float, ...]
    repeat_last: bool
    jitter: float
    lengthened: bool
    """Retry-After lengthens a delay to at most the larger of double and 1 h; else it is obeyed in full."""


SCHEDULES: dict[Kind, Schedule] = {
    "message": Schedule(MESSAGE_SECONDS, repeat_last=True, jitter=0.0, lengthened=False),
    "acknowledge": Schedule((), repeat_last=False, jitter=0.0, lengthened=False),
    "call": Schedule(CALL_SECONDS, repeat_last=True, jitter=0.0, lengthened=False),
    "channel_call": Schedule((), repeat_last=False, jitter=0.0, lengthened=False),
    "webhook": Schedule(WEBHOOK_SECONDS, repeat_last=False, jitter=JITTER, lengthened=True),
    "event": Schedule(WEBHOOK_SECONDS, repeat_last=False, jitter=JITTER, lengthened=True),
}


def next_delay(
    kind: Kind,
    attempt: int,
    *,
    dice: float,
    retry_after: float | None = None,
    left: float | None = None,
    own_delays: tuple[int, ...] | None = None,
) -> float | None:
    """Seconds from the end of attempt number `attempt` (1 is the first) to the next one; None: it was the last.

    `dice` is uniform in [0, 1). `left` is how long the delivery may still live; a delay that reaches past it is None.
    `own_delays` are an endpoint's own.
    """
    schedule = SCHEDULES[kind]
    delays = own_delays if own_delays is not None else schedule.delays
    if attempt > len(delays) and not (schedule.repeat_last and delays):
        return None
    delay = float(delays[min(attempt, len(delays)) - 1])
    delay *= 1 + schedule.jitter * (2 * dice - 1)
    if retry_after is not None:
        ceiling = max(2 * delay, HOUR) if schedule.lengthened else retry_after
        delay = max(delay, min(retry_after, ceiling))
    return None if left is not None and delay >= left else delay


def longest(own_delays: tuple[int, ...] | None = None) -> float:
    """The longest that a delivery may take from its first attempt to its last, seconds."""
    return sum(own_delays if own_delays is not None else WEBHOOK_SECONDS) * (1 + JITTER)
