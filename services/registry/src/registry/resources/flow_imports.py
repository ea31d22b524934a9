"""Flows of other builders: an export goes in, a flow and a report of what could not be taken over come out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from contracts.registry import Flow
from flowlang.language.document import Slug
from flowtools.importing.exports import MOST_FILES
from registry import errors
from registry.resources import flows
from registry.resources.flows import NewFlow
from registry.resources.resource import Made
from registry.site import Site
from registry.values.flow_documents import Document
from registry.values.inputs import Id, Input
from registry.writing.unit import Unit

ExportFile = Annotated[
    str,
    StringConstraints(pattern=r"^(content-elements/[^/]+\.json|flows/skills/[^/]+\.flow\.json)$", max_length=200),
]


class NewImport(Input):
    """What another builder has exported. Nothing of it is executed."""

    from_: Literal["typebot", "botpress"] = Field(alias="from")
    """Which builder: Typebot 5 or 6, or Botpress 12."""
    document: dict[str, Any]
    """The export: a flow of Typebot, or of Botpress the `flow.json` of a flow."""
    files: dict[ExportFile, Any] = Field(default_factory=dict, max_length=MOST_FILES)
    """Of Botpress: what lies in the folder of its bot, by their paths: `content-elements/….json` and `flows/skills/….flow.json`."""
    slug: Slug | None = None
    """The flow's slug; left out: what the export is called, or `main` for Botpress."""
    bot: Id | None = None
    """Whose flow it becomes; left out: nothing is saved."""


class ReportLine(BaseModel):
    """Something that was not taken over as it was."""

    block: Annotated[str, Field(examples=["b3"])]
    """Its id in the export; empty: the whole flow."""
    what: Annotated[str, Field(examples=["block Code"])]
    """What it was."""
    instead: Annotated[str, Field(examples=["left out"])]
    """What is there in its place."""
    to_do: Annotated[
        str, Field(examples=["scripts are not taken over: write a node `code`, or nothing if it was for the web page"])
    ]
    """What to do about it."""


class Reported(BaseModel):
    """What was not taken over as it was."""

    report: list[ReportLine]
    """A line for each thing, 1,000 at most, and one where there were more."""


async def make(unit: Unit, asked: NewImport, bot: str) -> Made[Flow]:
    """A flow with a draft, as one that is posted. Raises ProblemError 422."""
    document, report = await _imported(unit.site, asked)
    made = await flows.create(unit, NewFlow(bot=bot, document=document))
    return Made(made.stored, {**made.once, "report": report})


async def show(site: Site, asked: NewImport) -> dict[str, Any]:
    """`{document, problems, report}`. Raises ProblemError 422."""
    document, report = await _imported(site, asked)
    return {"document": document, "problems": await site.checks.problems(document), "report": report}


async def _imported(site: Site, asked: NewImport) -> tuple[Document, list[dict[str, str]]]:
    if asked.files and asked.from_ != "botpress":
        raise errors.invalid("/files", "An export of Typebot is one document: leave the files out.")
    return await site.checks.imported(asked.document, asked.from_, asked.files, asked.slug)
