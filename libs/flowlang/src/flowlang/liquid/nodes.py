"""Texts, merge tags and blocks, rendered. Each markup costs a unit, and each turn of a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from liquid.ast import BlockNode, ConditionalBlockNode
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.primitive import StringLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForLoop, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.token import Token
from liquid.undefined import Undefined

from flowlang.liquid.expressions import evaluate
from flowlang.liquid.json_text import OwnText
from flowlang.liquid.rendering import Failure, Rendering


class JoinedNode(OutputNode):
    """In JSON, `{{ items | join: ", " }}`: `items` is what stands before `join`."""

    __slots__ = ("items", "separator")

    def __init__(self, token: Token, expression: FilteredExpression, separator: str) -> None:
        super().__init__(token, expression)
        self.items = FilteredExpression(expression.token, expression.left, (expression.filters or [])[:-1])
        self.separator = separator


def output_in_json(node: OutputNode) -> OutputNode:
    """The node by which a merge tag is shown in JSON."""
    expression = node.expression
    if not isinstance(expression, FilteredExpression) or not expression.filters:
        return node
    last = expression.filters[-1]
    if last.name != "join" or len(last.args) != 1:
        return node
    separator = last.args[0].value
    return JoinedNode(node.token, expression, separator.value) if isinstance(separator, StringLiteral) else node


class _Break(Exception):
    """`{% break %}`."""


class _Continue(Exception):
    """`{% continue %}`."""


def render(nodes: Iterable[Any], run: Rendering) -> None:
    """Render a template's nodes. Raises Failure, TooCostly."""
    try:
        for node in nodes:
            RENDERED[type(node)](node, run)
    except (_Break, _Continue) as error:
        raise Failure("break and continue stand in a loop") from error


def _content(node: ContentNode, run: Rendering) -> None:
    run.write(node.text)


def _output(node: OutputNode, run: Rendering) -> None:
    expression: Any = node.expression
    value = evaluate(expression if expression.filters else expression.left, run)
    if type(value) is Undefined:
        run.missing.append(str(expression))
        run.put_missing(_root(expression))
        return
    _put(value, run)


def _root(expression: Any) -> str:
    """The name that a merge tag's path begins with; empty where it begins otherwise."""
    first = expression.left.path[0] if isinstance(expression.left, Path) else ""
    return first if isinstance(first, str) else ""


def _put(value: Any, run: Rendering) -> None:
    run.work.charge(1)
    if type(value) is not int:
        run.work.charge_for(value)
    run.put(value)


def _joined(node: JoinedNode, run: Rendering) -> None:
    """Items, each as it fits where it stands, and between them a text of the template's own."""
    items, separator = evaluate(node.items, run), OwnText(node.separator)
    if not isinstance(items, (list, tuple, range)):
        items = () if items is None or type(items) is Undefined else (items,)
    for place, item in enumerate(items):
        if place:
            _put(separator, run)
        _put(item, run)


def _assign(node: AssignNode, run: Rendering) -> None:
    run.work.charge(1)
    run.assigned[node.name] = evaluate(node.expression, run)


def _block(node: BlockNode, run: Rendering) -> None:
    """A block. One that can write nothing but spaces writes nothing."""
    before = run.muted
    run.muted = before or node.blank
    try:
        for part in node.nodes:
            RENDERED[type(part)](part, run)
    finally:
        run.muted = before


def _if(node: IfNode, run: Rendering) -> None:
    _first_true(node, run, bool(evaluate(node.condition, run)))


def _unless(node: UnlessNode, run: Rendering) -> None:
    _first_true(node, run, not evaluate(node.condition, run))


def _first_true(node: Any, run: Rendering, first: bool) -> None:
    run.work.charge(1)
    if first:
        _block(node.consequence, run)
        return
    for alternative in node.alternatives:
        run.work.charge(1)
        if evaluate(alternative.expression, run):
            _block(alternative.block, run)
            return
    if node.default:
        _block(node.default, run)


def _case(node: CaseNode, run: Rendering) -> None:
    """Each true `when`, whatever stands before it; `else` only where none before it was."""
    matched = False
    for block in node.blocks:
        run.work.charge(1)
        if isinstance(block, MultiExpressionBlockNode):
            times = evaluate(block.expression, run)
            matched = matched or times > 0
            for _ in range(times):  # At most as many as were charged for.
                _block(block.block, run)
        elif not matched:
            _block(block, run)


def _for(node: ForNode, run: Rendering) -> None:
    run.work.charge(1)
    items, name = evaluate(node.expression, run), node.expression.identifier
    if not len(items):
        if node.default:
            _block(node.default, run)
        return
    outer = run.loops[-1]["forloop"] if run.loops else Undefined("parentloop")
    forloop = ForLoop(f"{name}-{node.expression.iterable}", iter(items), len(items), outer)
    names = {"forloop": forloop, name: None}
    run.loops.append(names)
    try:
        _turns(node.block, run, names, name, forloop)
    finally:
        run.loops.pop()


def _turns(block: BlockNode, run: Rendering, names: dict[str, Any], name: str, forloop: ForLoop) -> None:
    for item in forloop:
        run.work.charge(1)
        names[name] = item
        try:
            _block(block, run)
        except _Continue:
            continue
        except _Break:
            return


def _nothing(node: Any, run: Rendering) -> None:
    """A comment."""
    run.work.charge(1)


def _break(node: BreakNode, run: Rendering) -> None:
    raise _Break


def _continue(node: ContinueNode, run: Rendering) -> None:
    raise _Continue


def _part_of_another(node: Any, run: Rendering) -> None:
    """Rendered by the node that it belongs to."""
    raise Failure("a branch stands in its condition")


RENDERED: dict[type, Callable[[Any, Rendering], None]] = {
    ContentNode: _content,
    OutputNode: _output,
    JoinedNode: _joined,
    AssignNode: _assign,
    BlockNode: _block,
    IfNode: _if,
    UnlessNode: _unless,
    CaseNode: _case,
    ForNode: _for,
    BreakNode: _break,
    ContinueNode: _continue,
    CommentNode: _nothing,
    InlineCommentNode: _nothing,
    ConditionalBlockNode: _part_of_another,
    MultiExpressionBlockNode: _part_of_another,
}
"""What a node is, and how it is rendered: what is not here does not parse."""
