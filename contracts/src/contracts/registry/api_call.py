"""An API call that flows make, or a language model that they ask."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from contracts.registry.entity import Indexes, Owned, Sealed, in_project


class ApiCall(Owned):
    """An API that flows call by its name. Parameters go into the query on GET, into a JSON body on POST.

    Of the kind `model` it is a language model that `ai` nodes ask: its URL takes chat completions as OpenAI's does, and `params`
    are fields of each request beside those that every one has.

    `sealed` has the values of `headers`, of the URL's query and of `params`, a JSON object {headers, query, params}; in the
    clear stands HIDDEN for each. Without it, in records of earlier releases, they are as they are.
    """

    KIND = "api_call"
    INDEXES: ClassVar[Indexes] = {"name": ("project_id", "name")}

    kind: Literal["http", "model"] = "http"
    name: str
    description: str | None = None
    """For who edits flows, and for a model that has it as a tool."""
    method: Literal["GET", "POST"]
    url: str
    params: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    sealed: Sealed | None = None
    auth_secret: str | None = None
    """Name of a secret whose value is the Authorization header."""
    timeout_seconds: int = Field(default=10, ge=1, le=120)
    response: Literal["envelope", "raw"] = "envelope"
    idempotent: bool = False
    parameters: dict[str, str] = Field(default_factory=dict)
    """What a model may give that has it as a tool: name → type, `string`, `integer`, `number`, `boolean`, `object` or `array`, with
    `!` when it is needed."""
    model: str | None = None
    """Of a model: its name, as its server knows it."""
    max_tokens: int = Field(default=1024, ge=1, le=32_768)
    """Of a model: how long one answer may be."""
    turn_tokens: int = Field(default=50_000, ge=1, le=1_000_000)
    """Of a model: when the answers to one `ai` node have taken so many, questions and answers counted, it asks no further."""

    @property
    def unique_name(self) -> str:
        return in_project(self.project_id, self.name)
