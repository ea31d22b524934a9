"""`date`: a day, in one of the author's forms or by one of his words for a day near today."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from contracts.time_zones import time_zones
from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Input, Invalid, Reader, folded, text_of
from flowlang.inputs.forms import LONGEST_ANSWER, LONGEST_FORM, MOST_FORMS, Form, forms_of, plain

_BOUND = re.compile(r"today(?:([+-]\d{1,5}))?")
_DAYS = Annotated[int, Field(ge=-3660, le=3660)]


def _is_bound(text: str) -> str:
    if not _BOUND.fullmatch(text):
        date.fromisoformat(text)
    return text


Bound = Annotated[str, AfterValidator(_is_bound)]
"""`2026-12-31`, `today`, `today+14` or `today-1`."""


class DateInput(Input):
    """A day. Keeps it as ISO 8601: `2026-12-24`."""

    type: Literal["date"]
    """A day; it is kept as `2026-12-24`."""
    formats: tuple[Annotated[str, Field(min_length=2, max_length=LONGEST_FORM)], ...] = Field(
        default=("YYYY-MM-DD", "DD.MM.YYYY", "DD.MM.YY", "DD.MM"), min_length=1, max_length=MOST_FORMS
    )
    """How it may be written, of `YYYY`, `YY`, `MM` and `DD`; the first that fits is taken. Without a year it is the next such day."""
    words: dict[str, _DAYS] = Field(default={"today": 0, "tomorrow": 1}, max_length=100)
    """Words for days near today, and how many days later they are; case and accents do not matter."""
    min: Bound | None = None
    """The first day that is taken: `2026-12-31`, `today`, `today+14` or `today-1`."""
    max: Bound | None = None
    """The last day that is taken, written as `min`."""
    timezone: str | None = None
    """Where it is today; left out: where the contact's `timezone` says, else UTC."""

    def build(self, compiler: Compiler) -> Reader:
        forms = forms_of(self.formats, "YYYY YY MM DD", "MM DD", compiler)
        if self.timezone is not None and self.timezone not in time_zones():
            compiler.problem("timezone", "a time zone by its name, such as Europe/Riga", "timezone")
        first, last = (_day(bound, date(2000, 1, 1)) if bound else None for bound in (self.min, self.max))
        is_relative = [bound.startswith("today") for bound in (self.min, self.max) if bound]
        if first and last and len({*is_relative}) == 1 and first > last:
            compiler.problem("limits", "`min` is after `max`: nothing would be accepted", "min")
        words = {folded(word): days for word, days in self.words.items()}
        return _DateReader(forms, words, self.min, self.max, self.timezone)


def _day(bound: str, today: date) -> date | None:
    """None for a day that no calendar has."""
    found = _BOUND.fullmatch(bound)
    return _later(today, int(found[1] or 0)) if found else date.fromisoformat(bound)


def _later(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days)
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class _DateReader(Free):
    forms: tuple[Form, ...]
    words: dict[str, int]
    first: str | None
    last: str | None
    timezone: str | None

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        text, today = plain(text_of(message, LONGEST_ANSWER)), self._today(scopes)
        days = self.words.get(folded(text))
        found = _later(today, days) if days is not None else self._written(text, today)
        if found is None:
            raise Invalid("a date is expected")
        first, last = (_day(bound, today) if bound else None for bound in (self.first, self.last))
        if (first and found < first) or (last and found > last):
            raise Invalid("the date is out of range")
        return Answer(found.isoformat())

    def _written(self, text: str, today: date) -> date | None:
        for form in self.forms:
            if (fields := form.read(text)) and (found := _date(fields, today)):
                return found
        return None

    def _today(self, scopes: Scopes) -> date:
        """The day of the event, where the person is: there is no other clock."""
        name = self.timezone or str(scopes.scope("user").get("timezone"))
        zone = ZoneInfo(name if name in time_zones() else "UTC")
        return clock.moment(scopes.scope("system")["now"]).astimezone(zone).date()


def _date(fields: dict[str, str], today: date) -> date | None:
    """None for a day that no calendar has."""
    month, day = int(fields["MM"]), int(fields["DD"])
    year = int(fields["YYYY"]) if "YYYY" in fields else 2000 + int(fields["YY"]) if "YY" in fields else None
    try:
        return date(year, month, day) if year is not None else _next(month, day, today)
    except ValueError:
        return None


def _next(month: int, day: int, today: date) -> date | None:
    """The first such day from today on; 29 February may be years away."""
    for year in range(today.year, min(today.year + 9, date.max.year + 1)):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None
