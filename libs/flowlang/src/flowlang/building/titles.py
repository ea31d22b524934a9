"""What each channel shows: a title that is too long is shortened, a text sent as several messages, and what it cannot show at all said
in words. The author is told."""

from __future__ import annotations

from collections.abc import Collection

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


_OTHERWISE = "`per_channel` may say otherwise"
_WITHOUT_BUTTON = "the question goes without this button, so its text has to say what to send"
_INSTEAD = {
    "location": f"its name and a link to a map are sent; {_OTHERWISE}",
    "cards": f"each is sent as a message; {_OTHERWISE}",
    "share_contact": _WITHOUT_BUTTON,
    "share_location": _WITHOUT_BUTTON,
}


def check_shown(compiler: Compiler, kind: str, *, without: Collection[str] = (), only: str | None = None) -> None:
    """Warn where one of the bot's channels cannot show that kind. `without`: types of channels that have their own message."""
    for channel, shows in sorted(compiler.known.shows.items()):
        if kind not in shows and channel not in without and only in (None, channel):
            message = f"{channel} cannot show this ({kind}): {_INSTEAD.get(kind, f'its link is sent; {_OTHERWISE}')}"
            compiler.problem("not-shown", message, severity="warning")
