"""When a schedule is due: a cron expression of five fields in a time zone.

As in Debian's cron, where the clocks are set. An expression that names its hours and minutes runs once a day for each: at the first
minute that there is where they leap over it, and the first of the two where they are set back. One with `*` in either follows the
time that passes, so that it runs in each hour that there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from contracts.time_zones import time_zones

LONGEST = 100
"""Characters of an expression."""
_ANY_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


class Cron:
    """The moments of a schedule."""

    __slots__ = ("_expression", "_zone")

    def __init__(self, expression: str, timezone: str) -> None:
        """Raises ValueError with a sentence for what is none, or would never be due."""
        if timezone not in time_zones():
            raise ValueError(f"{timezone[:60]!r} is no time zone: name one as Europe/Riga")
        if len(expression) > LONGEST or len(expression.split()) != 5:
            raise ValueError(
                "a cron expression has five fields: minute, hour, day of the month, month, day of the week"
            )
        self._expression = expression
        self._zone: tzinfo = UTC if timezone == "UTC" else ZoneInfo(timezone)
        try:
            first = next(self.after(_ANY_YEAR), None)
        except (CronSimError, AssertionError, ValueError, TypeError) as error:
            raise ValueError(f"no cron expression: {str(error) or 'bad field'}") from None
        if first is None:
            raise ValueError("this is never due: no month has such a day")

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The moments behind this one, in UTC and rising. They end after 50 years."""
        last = moment.astimezone(UTC)
        for found in CronSim(self._expression, moment.astimezone(self._zone)):
            at = found.astimezone(UTC)
            if at > last:
                last = at
                yield at
