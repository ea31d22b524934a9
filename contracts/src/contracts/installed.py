"""What services say of the packages that are installed beside ours."""

from __future__ import annotations


class BrokenPackage(Exception):
    """An installed package brings what cannot be used: no service that needs it starts. The message names the package."""
