"""Key-encryption keys that this process was not given and would need: said once in the log, and by readiness meanwhile.

Here, without cryptography, as the engine has no key and answers readiness all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

ASKED_SECONDS = 60.0
"""What waits for a key asks for it more often than this."""

log = structlog.get_logger()


class MissingKeys:
    """Those that something was sealed with and that SWITCHHOOK_KEK does not have. Its log event is `secrets.no_key`."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (lambda: time.monotonic())
        self._asked: dict[str, float] = {}

    def asked(self, kek_id: str) -> None:
        """Something could not be opened for want of it."""
        if kek_id not in self._asked:
            log.error("secrets.no_key", kek_id=kek_id)
        self._asked[kek_id] = self._clock()

    def problem(self) -> str | None:
        """For the warnings of readiness: what is missing and what to do; None once nothing has asked for a while."""
        since = self._clock() - ASKED_SECONDS
        missing = ", ".join(kek_id for kek_id, asked in sorted(self._asked.items()) if asked > since)
        if not missing:
            return None
        return (
            f"something is sealed with the key-encryption key {missing}, which is not in SWITCHHOOK_KEK, and what needs it"
            " waits: put that key behind the current one and start the service again"
        )


MISSING = MissingKeys()
"""Of this process."""
