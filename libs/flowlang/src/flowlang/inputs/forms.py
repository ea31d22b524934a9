"""How dates and times are written: forms such as `DD.MM.YYYY` and `HH:mm`, made of fields and of what stands between them.

A field right before another field of digits has all its digits; before anything else one digit is enough, where it has two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from flowlang.building.compiler import Compiler

LONGEST_FORM = 32
LONGEST_ANSWER = 64
MOST_FORMS = 10
_FIELDS = re.compile(r"YYYY|YY|MM|DD|HH|hh|mm|A")
_HALF = r"(?:[ap]\.?m\.?)"


class Form:
    """One form. Its pattern has no choices, so it reads a text once."""

    __slots__ = ("_pattern", "source")

    def __init__(self, source: str, fields: frozenset[str]) -> None:
        """`fields`: those that it may have. Raises ValueError for others, none, or one twice."""
        self.source = source
        pattern, at, found = "", 0, [*_FIELDS.finditer(source)]
        names = [one[0] for one in found]
        if not names or len({*names}) < len(names) or not fields.issuperset(names):
            raise ValueError(f"a form has {', '.join(sorted(fields))}, each at most once, and what stands between them")
        for one, after in zip(found, [*found[1:], None], strict=True):
            adjacent = after is not None and after.start() == one.end() and after[0] != "A"
            pattern += re.escape(source[at : one.start()]) + _field(one[0], adjacent=adjacent)
            at = one.end()
        self._pattern = re.compile(pattern + re.escape(source[at:]), re.IGNORECASE)

    def read(self, text: str) -> dict[str, str] | None:
        """Each field's text; None when it is not written so."""
        found = self._pattern.fullmatch(text)
        return found.groupdict() if found else None


def _field(name: str, *, adjacent: bool) -> str:
    if name == "A":
        return rf"(?P<A>{_HALF})"
    least = len(name) if adjacent or len(name) == 4 or name in ("YY", "mm") else 1
    return rf"(?P<{name}>\d{{{least},{len(name)}}})"


def forms_of(sources: Sequence[str], fields: str, needed: str, compiler: Compiler) -> tuple[Form, ...]:
    """The forms at `formats` of the compiler's present place. `fields`, `needed`: names, separated by spaces."""
    made = []
    for index, source in enumerate(sources):
        try:
            form = Form(source, frozenset(fields.split()))
        except ValueError as error:
            compiler.problem("format", str(error), "formats", index)
            continue
        if missing := [name for name in needed.split() if name not in source]:
            compiler.problem("format", f"a form needs {' and '.join(missing)}", "formats", index)
            continue
        made.append(form)
    return tuple(made)


def plain(text: str) -> str:
    """An answer as forms read it: digits and signs of other widths are the usual ones, spaces single."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip()
