"""All kinds of inputs there are. The JSON Schema, the reference page and the editor's forms come from here; nothing else names one."""

from __future__ import annotations

from flowlang.building.discovery import discovered
from flowlang.inputs.base import Input

GROUP = "switchhook.inputs"
"""The entry point group: a package that declares one brings a kind of input."""

INPUT_KINDS: dict[str, type[Input]] = discovered(GROUP, Input)
"""By the name that an input's `type` has in a document, sorted by it."""
