"""Base 62 of fixed width: digits, upper case, lower case. No character of it has a meaning in URLs, headers or shells."""

from __future__ import annotations

import string

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}


def encode(number: int, width: int) -> str:
    """`number` in exactly `width` digits. Raises ValueError when it does not fit."""
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    if number:
        raise ValueError(f"does not fit into {width} digits")
    return "".join(reversed(digits))


def decode(text: str) -> int:
    """The number. Raises ValueError for any other character."""
    number = 0
    for letter in text:
        value = _VALUES.get(letter)
        if value is None:
            raise ValueError("not base 62")
        number = number * 62 + value
    return number
