"""How far another clock is from ours, from what it said between two moments."""

from __future__ import annotations

from operations.report import Check

MOST_SECONDS = 2.0


def away(sent: float, received: float, earliest: float, latest: float) -> float:
    """Seconds by which a clock is ahead of ours at least (behind: below zero).

    It stood between `earliest` and `latest` at a moment between `sent` and `received`, all in seconds since 1970.
    """
    if earliest > received:
        return earliest - received
    return min(latest - sent, 0.0)


def clock(whose: str, seconds: float) -> Check | None:
    """None where it is near enough; tokens, signatures, timers and what is due go by the clocks."""
    if abs(seconds) <= MOST_SECONDS:
        return None
    side = "ahead of" if seconds > 0 else "behind"
    advice = "have both machines keep their time by NTP (chrony, systemd-timesyncd)"
    return Check(f"{whose}: its clock is {abs(seconds):.1f} s {side} the clock here", fine=False, advice=advice)
