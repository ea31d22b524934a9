"""What a worker process does for `registry.checking`: functions of this room, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowlang.building.compiler import KnownNames
from registry.checking.tasks import Check, Wrong
from registry.values import expressions, flow_documents, flow_imports
from registry.values.flow_documents import Document
from servicekit.web.problems import ProblemError


def _problems(document: Document, known: KnownNames | None) -> list[dict[str, str]]:
    return [flow_documents.as_json(problem) for problem in flow_documents.problems_of(document, known)]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "read": flow_documents.read,
    "imported": flow_imports.imported,
    "problems": _problems,
    "called_apis": flow_documents.called_apis,
    "secrets_sent": flow_documents.secrets_sent,
    "segments_asked": flow_documents.segments_asked,
    "webhook_entry": flow_documents.webhook_entry,
    "filter": expressions.wrong_filter,
    "template": expressions.wrong_template,
    "segment": expressions.read_segment,
    "answer": expressions.wrong_answer,
}


def make(settings: None) -> Callable[[Check, Callable[[], None]], Any]:
    """The target of servicekit.workers."""
    return do


def do(check: Check, progress: Callable[[], None]) -> Any:
    """What the function returns, or Wrong."""
    try:
        return _FUNCTIONS[check.name](*check.arguments)
    except ProblemError as error:
        return Wrong((error.type_slug, error.status, error.title, error.detail), dict(error.extra))
