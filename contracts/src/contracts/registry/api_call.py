"""An API call that flows make."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from contracts.registry.entity import Indexes, Owned, Sealed, in_project


class ApiCall(Owned):
    """An API that flows call by its name. Parameters go into the query on GET, into a JSON body on POST.

    `sealed` has the values of `headers`, of the URL's query and of `params`, a JSON object {headers, query, params}; in the
    clear stands HIDDEN for each. Without it, in records of earlier releases, they are as they are.
    """

    KIND = "api_call"
    INDEXES: ClassVar[Indexes] = {"name": ("project_id", "name")}

    name: str
    description: str | None = None
    method: Literal["GET", "POST"]
    url: str
    params: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    sealed: Sealed | None = None
    auth_secret: str | None = None
    """Name of a secret whose value is the Authorization header."""
    timeout_seconds: int = Field(default=10, ge=1, le=30)
    response: Literal["envelope", "raw"] = "envelope"
    idempotent: bool = False

    @property
    def unique_name(self) -> str:
        return in_project(self.project_id, self.name)
