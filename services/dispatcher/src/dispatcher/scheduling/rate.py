"""A token bucket. Pure: time is given, in seconds."""

from __future__ import annotations

ROUNDING = 1e-9
"""Who waited exactly as long as told has a whole token, whatever the sum of the fractions says."""


class TokenBucket:
    """`rate` tokens a second, at most `burst` saved up."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens, self._at = burst, now

    def take(self, now: float) -> float:
        """Take one token; 0.0, or the seconds until there is one (and none is taken)."""
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens >= 1 - ROUNDING:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self.rate
