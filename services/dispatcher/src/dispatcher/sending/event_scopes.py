"""What an endpoint's filter and template can read: `event` {type, timestamp, title, data}, `contact` (`user`), `bot`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowlang.work import Work


class EventScopes:
    """Of one event. What is missing reads as nothing."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        data = event.get("data") or {}
        contact = data.get("contact") or {}
        self.work = Work()
        self._roots = {"event": dict(event), "contact": contact, "user": contact, "bot": data.get("bot") or {}}

    def scope(self, name: str) -> Any:
        return self._roots.get(name, {})

    def missing(self, name: str) -> None:
        """An event of one type lacks what another has."""
