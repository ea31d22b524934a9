"""A bot."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

from pydantic import Field

from contracts.model import Model
from contracts.registry.entity import Owned

COMES_BACK = "/start"
"""Who writes it is subscribed again, whatever words a bot has."""


def opt_out_word(text: str) -> str:
    """As words are compared: in any case, and however keyboards put letters together."""
    return normalize("NFKC", normalize("NFKC", text).casefold())


class OptOut(Model):
    """How a person unsubscribes from a bot by a word, and comes back; words are compared whole, in any case.

    What stands here is what holds where a bot says no more than that it wants opt-out words.
    """

    words: tuple[str, ...] = ("stop", "unsubscribe")
    """Who writes one of these is unsubscribed."""
    text: str = "You are unsubscribed. Send /start to subscribe again."
    """What the bot answers to them."""
    back: tuple[str, ...] = ("subscribe",)
    """Who writes one of these, or /start, is subscribed again."""
    back_text: str = "You are subscribed again."
    """What the bot answers to one of these."""


class Bot(Owned):
    """What a person talks to, on one or more channels. `variables` are what its flows read as `bot.<name>`.

    `opt_out`: the words by which people unsubscribe; None: it has none.
    """

    KIND = "bot"

    name: str
    photo: str | None = None
    variables: dict[str, Any] = Field(default_factory=dict)
    opt_out: OptOut | None = None
