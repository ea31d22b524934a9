"""How long a title or text may be on each channel: past it the one is shortened, the other sent as several messages. The
author is told."""

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


def check_text(compiler: Compiler, text: str, *place: str) -> None:
    """Warn when a literal text is too long for one of the bot's channels."""
    if "{{" in text or "{%" in text:
        return
    for channel, (most, unit) in sorted(compiler.known.text_limits.items()):
        size = len(text) if unit == "characters" else len(text.encode())
        if size > most:
            message = f"{channel} takes {most} {unit} of text, this one has {size}: it is sent as several messages"
            compiler.problem("text-too-long", message, *place, severity="warning")
