"""All trigger kinds there are. `document` makes their union, and `running.bot_flows` asks them in their precedence."""

from __future__ import annotations

from flowlang.building.discovery import discovered
from flowlang.triggers.base import TriggerModel

GROUP = "switchhook.triggers"
"""The entry point group: a package that declares one brings a trigger kind."""

TRIGGER_KINDS: dict[str, type[TriggerModel]] = discovered(GROUP, TriggerModel)
"""By the name that `type` has in a document, sorted by it."""
