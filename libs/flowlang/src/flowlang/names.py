"""Names that somebody mistyped: the known one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

LONGEST = 40
"""Characters of a name that are compared."""
MOST_KNOWN = 100
MOST_ASKED = 10
"""Names of one document that are looked for: comparing takes time, and documents come from users."""


class Nearest:
    """Looks among `known`; `a.b` is like `b`."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = sorted(known)[:MOST_KNOWN]
        self._found: dict[str, str] = {}

    def to(self, name: str) -> str:
        """The known name that is most like it, the shorter of equals. Empty when none is known, or it is asked too much."""
        if name not in self._found:
            if len(self._found) >= MOST_ASKED:
                return ""
            self._found[name] = max(self._known, key=lambda one: (_likeness(name, one), -len(one)), default="")
        return self._found[name]

    def hint(self, name: str) -> str:
        """How a sentence ends that says that the name is not known; empty where there is nothing to say."""
        found = self.to(name)
        return f"; the nearest is {found!r}" if found else ""


def _likeness(name: str, known: str) -> float:
    if known.endswith(f".{name}"):
        return 1.0
    compared = SequenceMatcher(None, "", name[:LONGEST])
    ratios = []
    for one in (known, known.rpartition(".")[2]):
        compared.set_seq1(one[:LONGEST])
        ratios.append(compared.ratio())
    return max(ratios)
