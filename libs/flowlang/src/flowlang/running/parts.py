"""A text that is longer than one message of the channel, as several: in order, cut where a reader pauses.

Words stay whole, and so the addresses, names and hashtags that a platform finds in them; so do characters that are written
with several code points (a flag, a skin tone, an accent). Only what is longer than a message itself is cut inside.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

PAUSES = tuple(
    re.compile(pause) for pause in (r"\n[^\S\n]*\n\s*", r"\n\s*", r"(?<=[.!?…])[\"»”’)\]]*\s+|(?<=[。！？])", r"\s+")
)
"""Where a text is cut, best first: between paragraphs, lines, sentences, words."""
LEAST = 2
"""A pause is taken where the part before it fills one message in LEAST, else a lesser one; between words anywhere."""
LONGEST_CHARACTER = 32
"""Code points of what a reader takes for one character, at most: a family with skin tones has 11."""
WIDEST = 4
"""Bytes, or UTF-16 units, that a code point has at most: what is this much shorter than the limit is not counted."""
_JOINER, _SELECTORS, _TONES = "\u200d", range(0xFE00, 0xFE10), range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)


class TextLimit(NamedTuple):
    """How much text one message has. A character beyond U+FFFF counts as two: some platforms count so, and none counts more."""

    most: int
    unit: Literal["characters", "bytes"] = "characters"


def in_parts(text: str, limit: TextLimit | None) -> list[str]:
    """The text as messages, at least one; without a limit it is one. The space at a cut is left out."""
    if limit is None or len(text) * WIDEST <= limit.most or _fitting(text, limit) == len(text):
        return [text]
    parts, text = list[str](), text.strip() or text
    while (fits := _fitting(text, limit)) < len(text):
        end, next = _cut(text, max(fits, 1))
        parts.append(text[:end])
        text = text[next:]
    return [*parts, text] if text else parts


def _fitting(text: str, limit: TextLimit) -> int:
    """How many of its first code points one message has."""
    encoding, width = ("utf-8", 1) if limit.unit == "bytes" else ("utf-16-le", 2)
    encoded = text[: limit.most].encode(encoding, "replace")[: limit.most * width]
    return len(encoded.decode(encoding, "ignore"))  # Half a character at the end is left out.


def _cut(text: str, fits: int) -> tuple[int, int]:
    """(end of the part, beginning of the rest)."""
    for pause in PAUSES:
        least = 1 if pause is PAUSES[-1] else fits // LEAST
        for one in reversed([*pause.finditer(text, least, fits + 1)]):
            end = len(text[: one.end()].rstrip())
            if 0 < end <= fits:
                return end, len(text) - len(text[one.end() :].lstrip())
    for end in range(fits, max(fits // LEAST, fits - LONGEST_CHARACTER), -1):
        if not _joined(text, end):
            return end, end
    return fits, fits


def _joined(text: str, at: int) -> bool:
    """Whether the code points before and behind this place are one character to a reader."""
    before, behind = text[at - 1], text[at]
    if _JOINER in (before, behind) or unicodedata.combining(behind):
        return True
    if ord(behind) in _SELECTORS or ord(behind) in _TONES:
        return True
    return ord(before) in _FLAG_LETTERS and ord(behind) in _FLAG_LETTERS and _flag_letters_before(text, at) % 2 == 1


def _flag_letters_before(text: str, at: int) -> int:
    """A flag has two; in a row of more than LONGEST_CHARACTER it is not looked where that begins."""
    count = 0
    while count < min(at, LONGEST_CHARACTER) and ord(text[at - 1 - count]) in _FLAG_LETTERS:
        count += 1
    return count
