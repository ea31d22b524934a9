"""docs/how-to/deploy.md as commands: the tests here run every one of them, word for word."""

from __future__ import annotations

import re

from devstack.paths import ROOT

PAGE = ROOT / "docs" / "how-to" / "deploy.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, list[str]]:
    """Heading -> the blocks of commands below it."""
    parts = re.split(r"(?m)^## (.*)\n", PAGE.read_text())
    return {heading: BLOCK.findall(text) for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def commands(heading: str) -> str:
    """All commands of a section, to run in one shell."""
    return "".join(sections()[heading])
