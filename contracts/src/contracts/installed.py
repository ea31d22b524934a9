"""What services say of the packages that are installed beside ours."""

from __future__ import annotations

from importlib.metadata import EntryPoint


class BrokenPackage(Exception):
    """An installed package brings what cannot be used: no service that needs it starts. The message names the package."""


def package_of(point: EntryPoint) -> str:
    """The name and version of the package that declares an entry point, as messages say it."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package without a name"
