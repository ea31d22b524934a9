"""The CEL library without its command line, which its package imports with it: typer, rich, prompt_toolkit, 20 MB."""

from __future__ import annotations

import sys
from types import ModuleType

sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402

__all__ = ["cel"]
