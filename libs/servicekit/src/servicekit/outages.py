"""What this process needs and cannot reach: said once in the log, again when it can, and by readiness meanwhile.

A service goes on trying and needs no restart; the operator has to know all the same, at once and by the address.
"""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

log = structlog.get_logger()


class Outage:
    """Of one kind of server. Its log events are `<name>.away` and `<name>.reached`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._away: dict[str, str] = {}
        """What cannot be reached -> since when, and why. Empty as soon as anything is: a broker that has left the cluster is
        never tried again, and one that is still away is noted at the next attempt."""

    def problem(self) -> str | None:
        """For the warnings of readiness: what is away, in a sentence; None after an attempt that succeeded."""
        return next(iter(self._away.values()), None)

    def failed(self, what: str, error: BaseException, **said: str) -> None:
        """An attempt to connect failed. `what` begins the sentence, `said` stands in the log's line."""
        if what in self._away:
            return
        reason = str(error) or type(error).__name__
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._away[what] = f"{what} cannot be reached since {since} ({reason}); it is tried again all the time"
        log.error(f"{self._name}.away", reason=reason, **said)

    def reached(self, **said: str) -> None:
        """An attempt to connect succeeded."""
        if self._away:
            self._away.clear()
            log.info(f"{self._name}.reached", **said)


class Unusable:
    """A server that answers, and that cannot be worked with. Its log events are `<name>.unusable` and `<name>.usable`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._problem: str | None = None

    def problem(self) -> str | None:
        """For the warnings of readiness: why not, in a sentence; None while nothing is known to be wrong."""
        return self._problem

    def looked(self, problem: str | None) -> None:
        """What was found now; None: it can be worked with."""
        before, self._problem = self._problem, problem
        if problem is not None and problem != before:
            log.error(f"{self._name}.unusable", reason=problem)
        elif problem is None and before is not None:
            log.info(f"{self._name}.usable")


KAFKA, DATABASE = Outage("kafka"), Outage("database")
UNUSABLE_DATABASE = Unusable("database")
"""Of this process. Here, without asyncpg, as ingress has no database and answers readiness all the same."""
