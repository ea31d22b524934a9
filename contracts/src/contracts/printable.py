"""Lines for a terminal that hold what others have written: names, ids, words of an error."""

from __future__ import annotations

import json


def printable(line: str) -> str:
    """One line: what would end it, move the cursor or turn the text around stands as its escape in JSON."""
    return line if line.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)
