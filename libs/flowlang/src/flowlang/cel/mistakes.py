"""What people write who know other languages: what they probably meant, told where an expression does not parse."""

from __future__ import annotations

import re

_TEXTS = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_MISTAKES = (
    (re.compile(r"\{\{|\}\}"), "write the name alone, without {{ }}"),
    (re.compile("[“”„‘’«»]"), "write straight quotes: \"gold\" or 'gold'"),
    (re.compile(r"[\"']"), "a text ends with the quote that it begins with"),
    (re.compile(r"<>"), "for unequal, write !="),
    (re.compile(r"(?<![=!<>])=(?!=)"), "to compare, write =="),
    (re.compile(r"===|!=="), "write == and !="),
    (re.compile(r"(?<!&)&(?!&)|\b(?i:and)\b"), "for and, write &&"),
    (re.compile(r"(?<!\|)\|(?!\|)|\b(?i:or)\b"), "for or, write ||"),
    (re.compile(r"\b(?i:not)\b"), "for not, write !"),
)


def hint(source: str) -> str:
    """`; to compare, write ==`, after the sentence that says where it does not parse. Empty where nothing is known."""
    bare = _TEXTS.sub("''", source).replace("''", "")
    return next((f"; {said}" for shape, said in _MISTAKES if shape.search(bare)), "")
