"""Exports of other builders, as flow documents. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowtools.importing.exports import NotImported
from flowtools.importing.importer import converted
from registry import errors
from registry.values import flow_documents
from registry.values.flow_documents import Document

Report = list[dict[str, str]]
"""`{block, what, instead, to_do}` of each thing that was not taken over as it was."""


def imported(
    export: dict[str, Any], builder: str, files: Mapping[str, Any], slug: str | None
) -> tuple[Document, Report]:
    """The flow, and its report. `slug` takes the place of the export's. Raises ProblemError 422."""
    try:
        document, draft = converted(export, builder, files, f"{slug or 'main'}.flow.json")
    except NotImported as refused:
        raise errors.invalid("/document", str(refused)) from None
    named = document if slug is None else document | {"slug": slug}
    return flow_documents.read(named), [finding.as_json() for finding in draft.findings]
