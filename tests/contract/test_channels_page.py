"""The table of docs/reference/channels.md says what the descriptors say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from channels.descriptor import Descriptor
from channels.discovery import installed

PAGE = (Path(__file__).parents[2] / "docs/reference/channels.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
TYPES = [cell.strip("`") for cell in ROWS[0][1:]]
SAID = {row[0]: dict(zip(TYPES, row[1:], strict=True)) for row in ROWS[2:]}


def per_second(descriptor: Descriptor, of: str) -> float | None:
    rate = getattr(descriptor.rates, of)
    return rate and rate.per_second


FACTS: dict[str, Callable[[Descriptor], object]] = {
    "credentials to give": lambda one: ", ".join(f"`{each.name}`" for each in one.of_origin("given")) or "none",
    "characters of one message of the bot": lambda one: one.limits.text and one.limits.text.most,
    "characters of a title that are shown": lambda one: one.limits.button_title,
    "bytes of a button's payload": lambda one: one.limits.payload and one.limits.payload.most,
    "messages a second, bot": lambda one: per_second(one, "bot"),
    "messages a second, one chat": lambda one: per_second(one, "chat"),
    "buttons, buttons that open a URL, quick replies": lambda one: (
        {"buttons", "url_buttons", "quick_replies"} <= one.capabilities
    ),
    "pictures, videos, recordings, files, places": lambda one: (
        {"image", "video", "audio", "file", "location"} <= one.capabilities
    ),
    "characters of a caption": lambda one: one.limits.caption and one.limits.caption.most,
    "cards": lambda one: "cards" in one.capabilities,
    "a button that shares a contact or a place": lambda one: {"share_contact", "share_location"} <= one.capabilities,
    "groups": lambda one: "groups" in one.capabilities,
    "a message that is sent twice is shown once": lambda one: "repeat_safe" in one.capabilities,
}


def shown(fact: object) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return "any" if fact is None else f"{fact:g}" if isinstance(fact, float) else str(fact)


def test_each_type_of_ours_has_a_column_and_a_section() -> None:
    assert set(TYPES) == {"telegram", "webchat", "http"}
    assert re.findall(r"(?m)^## `(.+)`$", PAGE) == TYPES


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("row", FACTS)
def test_a_fact_of_the_table_is_the_descriptors(row: str, type: str) -> None:
    assert SAID[row][type].partition(";")[0] == shown(FACTS[row](installed()[type].descriptor))
