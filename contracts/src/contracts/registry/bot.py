"""A bot."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from contracts.registry.entity import Owned


class Bot(Owned):
    """What a person talks to, on one or more channels. `variables` are what its flows read as `bot.<name>`."""

    KIND = "bot"

    name: str
    photo: str | None = None
    variables: dict[str, Any] = Field(default_factory=dict)
