"""A destination's circuit: it opens after failures in a row and lets one probe through at a time. Pure: time is given."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.model.delivery import OPENS_AFTER

FIRST_SECONDS, LONGEST_SECONDS = 5.0, 300.0


@dataclass(slots=True)
class Breaker:
    """closed (attempts go through), open until a moment, then half open: one probe decides."""

    failures: int = 0
    open_until: float | None = None
    open_seconds: float = FIRST_SECONDS
    probing: bool = False

    def allows(self, now: float) -> bool:
        """Whether an attempt may start now. In the half-open state only while none is under way."""
        if self.open_until is None:
            return True
        return now >= self.open_until and not self.probing

    def started(self) -> None:
        """An attempt that was allowed begins."""
        self.probing = self.open_until is not None

    def waits(self, now: float) -> float:
        """Seconds until the next probe may start; 0 when closed or when it may start now."""
        return 0.0 if self.open_until is None else max(0.0, self.open_until - now)

    def succeeded(self) -> None:
        """The destination works."""
        self.failures, self.open_until, self.open_seconds, self.probing = 0, None, FIRST_SECONDS, False

    def failed(self, now: float) -> float | None:
        """The destination did not answer, or with an error of its own. Seconds it is open for when this opens it."""
        was_probe, self.probing = self.probing, False
        self.failures += 1
        if was_probe:
            self.open_seconds = min(self.open_seconds * 2, LONGEST_SECONDS)
        elif self.open_until is not None or self.failures < OPENS_AFTER:
            return None  # Begun before it opened, or not yet enough.
        self.open_until = now + self.open_seconds
        return self.open_seconds

    def abandoned(self) -> None:
        """The attempt that was begun came to nothing that says how the destination is."""
        self.probing = False
