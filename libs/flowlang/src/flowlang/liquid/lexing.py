"""Cuts a template into texts and markup, in one pass.

python-liquid's own lexer goes back over what it has read: 16 kB of spaces, brackets or opened tags take it seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from liquid.builtin.expressions import tokenize
from liquid.exceptions import LiquidSyntaxError
from liquid.stream import TokenStream
from liquid.token import TOKEN_CONTENT, TOKEN_EOF, TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG, Token

MOST_BRACKETS = 64
"""`[` or `(` in one markup: the expression lexer looks ahead from each to the end, and paths in paths nest."""
_OPENING = re.compile(r"\{\{|\{%")
_NAME = re.compile(r"#|\w+")
_ENDRAW = re.compile(r"\{%-?\s*endraw\s*-?%\}")


class Cut:
    """One template's source, read from left to right."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._place = 0
        self._strips = False
        """The markup before ended in `-`: the text behind it loses its leading spaces."""

    def tokens(self) -> Iterator[Token]:
        """The tokens that python-liquid's parser takes. Raises LiquidSyntaxError."""
        while opening := _OPENING.search(self._source, self._place):
            start = opening.start()
            yield from self._text(start, strips=self._source[start + 2 : start + 3] == "-")
            if opening.group() == "{{":
                yield from self._output(start)
            else:
                yield from self._tag(start)
        yield from self._text(len(self._source), strips=False)

    def _text(self, end: int, *, strips: bool) -> Iterator[Token]:
        text = self._source[self._place : end]
        if self._strips:
            text = text.lstrip()
            if end == len(self._source):
                text = text.removesuffix("\n")  # As python-liquid has it.
        if strips:
            text = text.rstrip()
        if text:
            yield Token(TOKEN_CONTENT, text, self._place, self._source)
        self._place = end

    def _inner(self, start: int, closing: str) -> tuple[str, int]:
        """What stands between the marks, and where it begins; goes on behind it."""
        end = self._source.find(closing, start + 2)
        if end < 0:
            what = "expected '}}', found end of file" if closing == "}}" else "missing tag name or closing delimiter"
            raise LiquidSyntaxError(what, token=Token(TOKEN_EOF, self._source[start:], start, self._source))
        begin = start + 2 + (self._source[start + 2] == "-")
        self._strips = end > begin and self._source[end - 1] == "-"
        self._place = end + 2
        return self._source[begin : end - self._strips], begin

    def _output(self, start: int) -> Iterator[Token]:
        inner, begin = self._inner(start, "}}")
        yield Token(TOKEN_OUTPUT, self._source[start : self._place], start, self._source)
        yield Token(TOKEN_EXPRESSION, inner.strip(), begin, self._source)

    def _tag(self, start: int) -> Iterator[Token]:
        inner, begin = self._inner(start, "%}")
        words = inner.lstrip()
        found = _NAME.match(words)
        if found is None:
            what = "missing tag name or closing delimiter"
            raise LiquidSyntaxError(what, token=Token(TOKEN_EOF, self._source[start:], start, self._source))
        name, rest = found.group(), words[found.end() :].strip()
        if name == "raw" and not rest and (ending := _ENDRAW.search(self._source, self._place)):
            yield Token(TOKEN_CONTENT, self._source[self._place : ending.start()], start, self._source)
            self._place = ending.end()
            return
        yield Token(TOKEN_TAG, name, begin, self._source)
        if rest:
            yield Token(TOKEN_EXPRESSION, rest, begin, self._source)
        if name == "comment":
            yield from self._end_of_comment(start)

    def _end_of_comment(self, start: int) -> Iterator[Token]:
        """Goes on behind the `endcomment` that belongs to it; comments nest."""
        depth = 1
        while opening := self._source.find("{%", self._place) + 1:
            if self._source.find("%}", opening) < 0:
                break
            inner, begin = self._inner(opening - 1, "%}")
            found = _NAME.match(inner.lstrip())
            name = found.group() if found else ""
            depth += (name == "comment") - (name == "endcomment")
            if depth == 0:
                yield Token(TOKEN_TAG, "endcomment", begin, self._source)
                return
        raise LiquidSyntaxError("comment tag was never closed", token=Token(TOKEN_TAG, "comment", start, self._source))


class Stream(TokenStream):
    """The parser's stream, whose markup has a bounded number of brackets."""

    def into_inner(self, *, tag: Token | None = None, eat: bool = True) -> TokenStream:
        """The tokens of the markup's expression. Raises LiquidSyntaxError."""
        token = self.current
        if token.kind != TOKEN_EXPRESSION:
            raise LiquidSyntaxError("missing expression", token=tag or token)
        if eat:
            next(self)
        return words(token)


def words(token: Token) -> TokenStream:
    """The tokens of one markup's expression. Raises LiquidSyntaxError."""
    if token.value.count("[") + token.value.count("(") > MOST_BRACKETS:
        raise LiquidSyntaxError(f"at most {MOST_BRACKETS} brackets in one merge tag", token=token)
    return TokenStream(tokenize(token.value, token))
