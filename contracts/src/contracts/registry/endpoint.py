"""An endpoint: whose URL gets which events."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.actions import WebhookFormat
from contracts.registry.entity import Owned, Sealed, in_project

PROJECT_WEBHOOK = "project"
"""The name of the endpoint that a project's `webhook_url` makes; no other endpoint can have it."""


class Endpoint(Owned):
    """A subscription. `secrets` are sealed whsec_ strings, the newest first; while two are valid both sign.

    `sealed` has the values of `headers` and of the URL's query, a JSON object {headers, query}; in the clear stands HIDDEN
    for each. Without it, in records of earlier releases, they are as they are.
    """

    KIND = "endpoint"

    name: str
    url: str
    events: tuple[str, ...]
    bots: tuple[str, ...] = ()
    filter: str | None = None
    format: WebhookFormat = "switchhook"
    template: str | None = None
    """The Liquid body of the format `template`."""
    headers: dict[str, str] = Field(default_factory=dict)
    sealed: Sealed | None = None
    secrets: tuple[Sealed, ...]
    ordered: bool = False
    max_in_flight: int = Field(default=16, ge=1, le=256)
    rate_limit: dict[str, int] | None = None
    schedule_seconds: tuple[int, ...] | None = None
    timeout_seconds: int = Field(default=15, ge=1, le=30)
    title_map: dict[str, str] = Field(default_factory=dict)
    state: Literal["enabled", "disabled"] = "enabled"

    @property
    def unique_name(self) -> str | None:
        return in_project(self.project_id, self.name) if self.name == PROJECT_WEBHOOK else None
