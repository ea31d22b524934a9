"""All node types there are. The JSON Schema, the reference page and the editor's forms come from here; nothing else names one."""

from __future__ import annotations

from flowlang.building.discovery import discovered
from flowlang.nodes.base import NodeModel

GROUP = "switchhook.nodes"
"""The entry point group: a package that declares one brings a node type."""

NODE_TYPES: dict[str, type[NodeModel]] = discovered(GROUP, NodeModel)
"""By the name that `type` has in a document, sorted by it."""
