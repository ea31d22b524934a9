"""Answers that clients do not read stay in this process's memory; all of them together take no more than MOST_BYTES.

What a client does not read belongs to nobody else, so the connection that has stood still for longest is cut, however large
what it holds is. Of the streams and answers that are read, as slowly as may be, nothing is cut while there is room.
"""

from __future__ import annotations

import asyncio

from servicekit.observability.metrics import counter

MOST_BYTES = 64 * 1024 * 1024


class UnreadAnswers:
    """The connections of a process whose clients have not read what was written, the longest first."""

    def __init__(self) -> None:
        self._held: dict[asyncio.Transport, int] = {}
        self._bytes = 0
        self._cut = counter("switchhook_unread_answers_cut_total")

    def add(self, transport: asyncio.Transport) -> None:
        """More was written than its client has read."""
        self.remove(transport)
        self._held[transport] = size = transport.get_write_buffer_size()
        self._bytes += size
        while self._bytes > MOST_BYTES:
            oldest = next(iter(self._held))
            self.remove(oldest)
            self._cut.inc()
            oldest.abort()

    def remove(self, transport: asyncio.Transport) -> None:
        """Its client has read, or is gone."""
        self._bytes -= self._held.pop(transport, 0)
