"""A generated URL."""

from __future__ import annotations

from typing import Any, ClassVar

from contracts.people import Person
from contracts.registry.entity import Indexes, Owned


class HookUrl(Owned):
    """A generated URL made by the API: it works as long as this entity exists."""

    KIND = "hook_url"
    INDEXES: ClassVar[Indexes] = {"bot_id": ("bot_id",)}

    bot_id: str
    command: str
    content: Any = None
    person: Person | None = None
    redirect_to: str | None = None
    expires_at: str | None = None
    single_use: bool = False
    confirm: bool = False
