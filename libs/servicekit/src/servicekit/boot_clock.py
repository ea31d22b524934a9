"""A clock that goes on while the host is suspended, for what others judge by theirs: leases, sessions, trust in a view."""

from __future__ import annotations

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""`time.monotonic` stands still while Linux is suspended. On macOS CLOCK_MONOTONIC goes on."""


def boot_seconds() -> float:
    """Seconds since some moment, never set back."""
    return time.clock_gettime(_CLOCK)
