"""From source to the tree that it is. Grammar: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax."""

from __future__ import annotations

from typing import Any

from flowlang.cel.tokens import SyntaxFault, Token, tokens

DEEPEST_NESTING = 32
"""Of brackets and choices, one in the other."""
DEEPEST_TREE = 128
"""Steps from the root to a leaf: `a - b - c` is one deeper with each sign."""
LOOPS = frozenset(("all", "exists", "exists_one", "map", "filter"))

_RESERVED = frozenset((
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace",
    "null", "package", "return", "true", "var", "void", "while",
))  # fmt: skip
_NEVER_FIELDS = frozenset(("false", "in", "null", "true"))
_CONSTANTS = {"true": True, "false": False, "null": None}
_STRENGTH = {
    "||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}  # fmt: skip
_INT64 = 2**63


class Node:
    """A part of an expression.

    kind, value, children: literal, its value · name, it · select and has, the field, (operand) · index, (operand, key) ·
    unary, the sign, (operand) · binary, the sign, (left, right) · and, or, (two or more) · choice, (condition, then, else)
    · list, (items) · map, (key, value, key, value …) · call, the name, (arguments) · method, the name, (operand,
    arguments) · loop, (macro, variable), (list, the body or bodies).
    """

    __slots__ = ("children", "depth", "kind", "value")

    def __init__(self, kind: str, value: Any = None, children: tuple[Node, ...] = ()) -> None:
        self.kind, self.value, self.children = kind, value, children
        self.depth: int = 1 + max((child.depth for child in children), default=0)


def parse(source: str, words: list[Token] | None = None) -> Node:
    """The tree. `words` are the source's tokens, where they are known. Raises SyntaxFault."""
    return _Parser(source, tokens(source) if words is None else words).whole()


class _Parser:
    def __init__(self, source: str, words: list[Token]) -> None:
        self._source, self._words = source, words
        self._place = 0
        self._nesting = 0

    def whole(self) -> Node:
        tree = self._expression()
        if self._now.kind != "end":
            raise self._fault(f"{self._now.text!r} is not expected")
        return tree

    # --- tokens

    @property
    def _now(self) -> Token:
        return self._words[self._place]

    def _fault(self, what: str) -> SyntaxFault:
        return SyntaxFault(self._source, self._now.start, what)

    def _take(self) -> Token:
        token = self._now
        self._place += 1
        return token

    def _is(self, sign: str) -> bool:
        return self._now.text == sign and self._now.kind in ("sign", "name")

    def _took(self, sign: str) -> bool:
        if self._is(sign):
            self._place += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._took(sign):
            found = self._now.text or "the end"
            raise self._fault(f"{sign!r} is expected, not {found!r}")

    def _made(self, kind: str, value: Any = None, children: tuple[Node, ...] = ()) -> Node:
        node = Node(kind, value, children)
        if node.depth > DEEPEST_TREE:
            raise self._fault("it is nested too deeply")
        return node

    # --- expressions, from the loosest

    def _expression(self) -> Node:
        self._nesting += 1
        if self._nesting > DEEPEST_NESTING:
            raise self._fault("it is nested too deeply")
        node = self._binary(1)
        if self._took("?"):
            chosen = self._binary(1)
            self._need(":")
            node = self._made("choice", None, (node, chosen, self._expression()))
        self._nesting -= 1
        return node

    def _binary(self, weakest: int) -> Node:
        left = self._unary()
        while self._now.kind in ("sign", "name") and (strength := _STRENGTH.get(self._now.text, 0)) >= weakest:
            sign = self._take().text
            left = self._joined(sign, left, self._binary(strength + 1))
        return left

    def _joined(self, sign: str, left: Node, right: Node) -> Node:
        """`a && b && c` is one node, however long."""
        if sign in ("&&", "||"):
            kind = "and" if sign == "&&" else "or"
            return self._made(kind, None, (*(left.children if left.kind == kind else (left,)), right))
        return self._made("binary", sign, (left, right))

    def _unary(self) -> Node:
        signs: list[str] = []
        while self._is("!") or self._is("-"):
            if signs and signs[0] != self._now.text:
                raise self._fault(f"{self._now.text!r} is not expected")
            signs.append(self._take().text)
        if signs and signs[-1] == "-" and self._now.kind in ("int", "double"):
            signs.pop()
            node = self._members(self._number(-1))
        else:
            node = self._members(self._primary())
        for sign in signs:
            node = self._made("unary", sign, (node,))
        return node

    def _members(self, node: Node) -> Node:
        while True:
            if self._took("."):
                node = self._selected(node)
            elif self._took("["):
                node = self._made("index", None, (node, self._expression()))
                self._need("]")
            else:
                return node

    def _selected(self, operand: Node) -> Node:
        field = self._take()
        if field.kind != "name" or field.text in _NEVER_FIELDS:
            self._place -= 1
            raise self._fault("a name is expected after the dot")
        if not self._took("("):
            return self._made("select", field.text, (operand,))
        arguments = self._listed(")")
        if field.text in LOOPS and len(arguments) in ((2, 3) if field.text == "map" else (2,)):
            return self._loop(field.text, operand, arguments)
        return self._made("method", field.text, (operand, *arguments))

    def _loop(self, macro: str, over: Node, arguments: tuple[Node, ...]) -> Node:
        variable, *bodies = arguments
        if variable.kind != "name":
            raise self._fault(f"{macro}() takes a simple name first")
        return self._made("loop", (macro, variable.value), (over, *bodies))

    # --- what stands alone

    def _primary(self) -> Node:
        token = self._now
        if token.kind in ("string", "bytes"):
            return self._made("literal", self._take().value)
        if token.kind in ("int", "uint", "double"):
            return self._number(1)
        if token.kind == "name":
            return self._named()
        if self._took("("):
            node = self._expression()
            self._need(")")
            return node
        if self._took("["):
            return self._made("list", None, self._listed("]"))
        if self._took("{"):
            return self._made("map", None, self._entries())
        raise self._fault(f"{token.text!r} is not expected" if token.text else "something is missing at the end")

    def _number(self, sign: int) -> Node:
        token = self._take()
        value = sign * token.value
        if (token.kind == "int" and not -_INT64 <= value < _INT64) or (token.kind == "uint" and value >= 2 * _INT64):
            raise SyntaxFault(self._source, token.start, "the number is too big")
        return self._made("literal" if token.kind != "uint" else "unsigned", value)

    def _named(self) -> Node:
        name = self._take().text
        if name in _CONSTANTS:
            return self._made("literal", _CONSTANTS[name])
        if name in _RESERVED:
            self._place -= 1
            raise self._fault(f"{name!r} is a reserved word")
        if not self._took("("):
            return self._made("name", name)
        arguments = self._listed(")")
        if name == "has" and len(arguments) == 1:
            if arguments[0].kind != "select":
                raise self._fault("has() takes a path with a dot: has(memory.seats)")
            return self._made("has", arguments[0].value, arguments[0].children)
        return self._made("call", name, arguments)

    def _listed(self, closing: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._took(closing):
            items.append(self._expression())
            if not self._took(","):
                self._need(closing)
                break
            if closing == ")" and self._is(")"):
                raise self._fault("')' is not expected")
        return tuple(items)

    def _entries(self) -> tuple[Node, ...]:
        parts: list[Node] = []
        while not self._took("}"):
            parts.append(self._expression())
            self._need(":")
            parts.append(self._expression())
            if not self._took(","):
                self._need("}")
                break
        return tuple(parts)
