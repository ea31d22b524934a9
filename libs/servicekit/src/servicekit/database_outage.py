"""Whether PostgreSQL lets this process connect: said once in the log, again when it does, and by readiness meanwhile.

Without asyncpg, as ingress has no database and answers readiness all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

log = structlog.get_logger()
_away: list[str] = []
"""Since when and why, one sentence at most."""


def problem() -> str | None:
    """For the warnings of readiness: that PostgreSQL is away, in a sentence; None when the last attempt succeeded."""
    return _away[0] if _away else None


def failed(error: BaseException) -> None:
    """An attempt to connect failed."""
    if not _away:
        reason = str(error) or type(error).__name__
        since = datetime.now(UTC).isoformat(timespec="seconds")
        _away.append(f"PostgreSQL cannot be reached since {since} ({reason}); it is tried again all the time")
        log.error("database.away", reason=reason)


def reached() -> None:
    """An attempt to connect succeeded."""
    if _away:
        _away.clear()
        log.info("database.reached")
