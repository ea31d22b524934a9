"""The memory of a service's process: what is given back, and how often garbage is looked for."""

from __future__ import annotations

import ctypes
import gc

LARGE_BYTES = 4 * 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""glibc's malloc.h."""


def give_back_memory() -> None:
    """Have glibc give very large buffers back as soon as they are freed; elsewhere nothing.

    By default it learns from the first one to keep such memory, in pieces, which cost the dispatcher 15 to 40 MB under load.
    A bound below the usual size of a fetch or a produce request costs more: each then lies in pages that the kernel has to
    clear first, 15 page faults an event and a tenth of the engine's time with 128 kB, for 10 MB less.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, LARGE_BYTES)
        mallopt(_M_ARENA_MAX, 2)


def tune_collector() -> None:
    """Look for garbage less often, and never again at what is there now.

    Events make many small objects and hardly a cycle. With Python's own thresholds the collector took a fifth of the
    engine's time, and a full collection held the dispatcher's event loop for 50 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
