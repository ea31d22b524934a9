"""The lexical grammar of CEL: what is a string, a comment, a number, a name.

Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax. One regular expression without choices that
overlap reads a token, so that reading takes time in proportion to the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["name", "int", "uint", "double", "string", "bytes", "sign", "end"]

_ESCAPE = r"\\(?:[abfnrtv\"'`?\\]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-3][0-7]{2})"
_RAW = r"\"{3}.*?\"{3}|'{3}.*?'{3}|\"[^\"\n\r]*\"|'[^'\n\r]*'"
_PLAIN = (
    rf"\"{{3}}(?:{_ESCAPE}|[^\\])*?\"{{3}}|'{{3}}(?:{_ESCAPE}|[^\\])*?'{{3}}"
    rf"|\"(?:{_ESCAPE}|[^\"\\\n\r])*\"|'(?:{_ESCAPE}|[^'\\\n\r])*'"
)
_TOKEN = re.compile(
    rf"""(?P<space>[ \t\r\n\f]+|//[^\n]*)
    |(?P<raw>[bB]?[rR](?:{_RAW}))|(?P<plain>[bB]?(?:{_PLAIN}))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<double>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    |(?P<int>(?:0x[0-9A-Fa-f]+|\d+)[uU]?)
    |(?P<sign>[=!<>]=|&&|\|\||[-+*/%!<>?:.,()\[\]{{}}])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HEXADECIMAL = {"x": 2, "u": 4, "U": 8}


def place_of(source: str, start: int) -> tuple[int, int]:
    """Line and column of a character, each counted from 1."""
    return source.count("\n", 0, start) + 1, start - source.rfind("\n", 0, start)


class SyntaxFault(ValueError):
    """It is no CEL, from this place on."""

    def __init__(self, source: str, start: int, what: str) -> None:
        line, column = place_of(source, start)
        super().__init__(f"the expression does not parse: line {line}:{column}: {what}")


@dataclass(frozen=True, slots=True)
class Token:
    """One word of the source. `text` is how it is written, `value` what a literal stands for."""

    kind: Kind
    text: str
    start: int
    value: Any = None

    @property
    def end(self) -> int:
        """Where the next character stands."""
        return self.start + len(self.text)


def tokens(source: str) -> list[Token]:
    """The tokens, the last of kind `end`; comments and spaces are left out. Raises SyntaxFault."""
    found, place = [], 0
    while place < len(source):
        match = _TOKEN.match(source, place)
        if match is None:
            raise SyntaxFault(source, place, f"{source[place]!r} is not expected")
        if match.lastgroup != "space":
            found.append(_token(source, place, str(match.lastgroup), match.group()))
        place = match.end()
    found.append(Token("end", "", len(source)))
    return found


def _token(source: str, start: int, group: str, text: str) -> Token:
    if group in ("raw", "plain"):
        return _literal(source, start, text, raw=group == "raw")
    if group == "int":
        unsigned = text[-1] in "uU"
        digits = text[:-1] if unsigned else text
        return Token("uint" if unsigned else "int", text, start, int(digits, 16 if digits[:2] == "0x" else 10))
    if group == "double":
        value = float(text)
        if value == float("inf"):
            raise SyntaxFault(source, start, "the number is too big")
        return Token("double", text, start, value)
    return Token("name" if group == "name" else "sign", text, start)


def _literal(source: str, start: int, text: str, *, raw: bool) -> Token:
    body = text.lstrip("bBrR")
    quotes = 3 if body[:3] in ('"""', "'''") and len(body) >= 6 else 1
    body = body[quotes:-quotes]
    try:
        if text[0] in "bB":
            return Token("bytes", text, start, body.encode() if raw else _bytes(body))
        return Token("string", text, start, body if raw else _unescaped(body))
    except ValueError as error:
        raise SyntaxFault(source, start, str(error)) from error


def _unescaped(body: str) -> str:
    return re.sub(_ESCAPE, _character, body) if "\\" in body else body


def _character(match: re.Match[str]) -> str:
    code = _code(match.group())
    if isinstance(code, str):
        return code
    if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        raise ValueError(f"{match.group()} is no character")
    return chr(code)


def _bytes(body: str) -> bytes:
    out, place = bytearray(), 0
    for match in re.finditer(_ESCAPE, body):
        out += body[place : match.start()].encode()
        code = _code(match.group())
        if match.group()[1] in "uU":
            raise ValueError(f"{match.group()} is for texts, not for bytes")
        out += code.encode() if isinstance(code, str) else bytes((code,))
        place = match.end()
    return bytes(out + body[place:].encode())


def _code(escape: str) -> str | int:
    """The character that an escape stands for, or its number."""
    first = escape[1]
    if first in _HEXADECIMAL:
        return int(escape[2:], 16)
    return int(escape[1:], 8) if first.isdigit() else _SHORT.get(first, first)
