"""Bodies of requests that users write: JSON whose merge tags are values in JSON, or any other text."""

from __future__ import annotations

from flowlang.expressions.templates import Template
from flowlang.liquid.json_body import JsonRendering, begins_like_json, refuse_no_json, sample
from flowlang.liquid.reading import TAGS, Reader
from flowlang.liquid.rendering import Failure

_JSON = Reader(None, TAGS, JsonRendering)
_TEXT_AND_NUMBER = ('""', "0")
"""What a value may be: a key is a text, what stands behind a minus is a number."""


def body_template(source: str) -> Template:
    """The body. In one that is JSON, whatever its values are, what it makes is JSON with the template's keys.

    Raises ValueError, with a sentence, when it does not parse or is too long.
    """
    template = Template(source)
    return Template(source, _JSON) if _begins_like_json(template) and _problem(template) is None else template


def refuse_broken_body(source: str) -> None:
    """Raises ValueError for a body that does not parse, and for one that begins like JSON and is none."""
    template = Template(source)
    problem = _problem(template) if _begins_like_json(template) else None
    if problem is not None:
        raise ValueError(f"the template begins like JSON: {problem}")


def _begins_like_json(template: Template) -> bool:
    return begins_like_json(template.nodes, template.source)


def _problem(template: Template) -> str | None:
    """Why it can be no JSON; None where it is, and where its blocks decide."""
    problem: str | None = None
    for value in _TEXT_AND_NUMBER:
        try:
            made = sample(template.nodes, value) if template.nodes else template.source
            if made is not None:
                refuse_no_json(made)
        except Failure as failure:
            problem = str(failure)
        else:
            return None
    return problem
