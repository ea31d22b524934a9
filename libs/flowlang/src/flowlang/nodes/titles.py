"""How long a button's title may be on each channel; past it the channel shortens it, so the author is told."""

from __future__ import annotations

from flowlang.building.compiler import Compiler


def check_title(compiler: Compiler, title: str) -> None:
    """Warn when a literal title is too long for one of the bot's channels."""
    if "{{" in title:
        return
    for channel, limit in sorted(compiler.known.title_limits.items()):
        if len(title) > limit:
            compiler.problem(
                "title-too-long",
                f"{channel} shows {limit} characters of a title, this one has {len(title)}",
                "title",
                severity="warning",
            )
