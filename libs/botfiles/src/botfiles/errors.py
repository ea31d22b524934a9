"""What ends a command: the caller shows its words."""

from __future__ import annotations


class CannotGoOn(Exception):
    """The command cannot be carried out; the text says why and what to do."""
