"""What the bot or an agent says, as messages that the channel can show.

What it cannot show is said in words, and `degraded` of the message names it: a picture becomes its link, cards become a message
each, a place becomes its name and a link to a map. A caption that is too long follows its picture; a text that is too long
becomes several.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flowlang.model import Conversation, Say
from flowlang.running.parts import TextLimit, in_parts

_SHARES = frozenset(("share_contact", "share_location"))
MAP = "https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}"


@dataclass(slots=True)  # Made for every message; a frozen one takes four times as long to make.
class Said:
    """One part of what is said, never changed: fields as contracts.actions.MessageContent. At most one of media, location and
    cards."""

    text: str = ""
    buttons: tuple[dict[str, Any], ...] = ()
    quick_replies: tuple[dict[str, Any], ...] = ()
    media: dict[str, Any] | None = None
    location: dict[str, Any] | None = None
    cards: tuple[dict[str, Any], ...] = ()
    degraded: tuple[str, ...] = ()

    def effect(
        self, seq: int, *, expires: str | None = None, agent: dict[str, str] | None = None, hides: bool | None = None
    ) -> Say:
        """The effect that sends it."""
        return Say(
            seq, self.text, self.buttons, self.quick_replies, expires, agent, self.media, self.location, self.cards, self.degraded,
            hides,
        )  # fmt: skip


def as_shown(said: Said, channel: Mapping[str, Any]) -> list[Said]:
    """The messages, at least one. `channel`: flowlang.model.Tools.channel; the last message has the buttons."""
    if said.quick_replies:
        said = _with_known_shares(said, channel.get("shows"))
    if said.media is None and said.location is None and not said.cards:
        return _in_parts(said, channel.get("text_limit"))
    shows = channel.get("shows")
    found = _media(said, shows, channel.get("caption_limit")) if said.media else _place(said, shows)
    if said.cards:
        found = _cards(said, shows, channel.get("caption_limit"))
    return [part for one in found for part in _in_parts(one, channel.get("text_limit"))]


def hides(said: Said, conversation: Conversation) -> bool | None:
    """Whether it has the button vanish by which something was to be shared, used or not, and note in the conversation that it is
    still there. Under a message with buttons it cannot."""
    if said.quick_replies:
        conversation.sharing = any(reply.get("shares") for reply in said.quick_replies)
    elif conversation.sharing and not said.buttons:
        conversation.sharing = False
        return True
    return None


def in_words(said: Said) -> str:
    """Its text, or what stands for it where there is none."""
    if said.text:
        return said.text
    if said.cards:
        return "\n\n".join(_words(card) for card in said.cards)
    return _link(said.media) if said.media else _words_of_place(said.location) if said.location else ""


def _with_known_shares(said: Said, shows: frozenset[str] | None) -> Said:
    """Without the buttons that share what the channel has no button for: the question says what to send."""
    unknown = [
        kind
        for one in said.quick_replies
        if (kind := f"share_{one.get('shares')}") in _SHARES and kind not in (_SHARES if shows is None else shows)
    ]
    if not unknown:
        return said
    kept = tuple(one for one in said.quick_replies if f"share_{one.get('shares')}" not in unknown)
    return replace(said, quick_replies=kept, degraded=(*said.degraded, *unknown))


def _in_parts(said: Said, limit: TextLimit | None) -> list[Said]:
    texts = [said.text] if said.media else in_parts(said.text, limit)  # A caption has its own limit.
    if texts == [said.text]:
        return [said]
    return [*(Said(text, degraded=said.degraded) for text in texts[:-1]), replace(said, text=texts[-1])]


def _media(said: Said, shows: frozenset[str] | None, limit: TextLimit | None) -> Iterator[Said]:
    media = said.media or {}
    if shows is not None and media["type"] not in shows:
        text = "\n".join(filter(None, (said.text, _link(media))))
        yield replace(said, text=text, media=None, degraded=(*said.degraded, media["type"]))
    elif len(in_parts(said.text, limit)) > 1:
        yield Said(media=media, degraded=said.degraded)
        yield replace(said, media=None)
    else:
        yield said


def _place(said: Said, shows: frozenset[str] | None) -> Iterator[Said]:
    """Platforms have no text beside a place: it goes before."""
    if said.text:
        yield Said(said.text, degraded=said.degraded)
    if shows is None or "location" in shows:
        yield replace(said, text="")
    else:
        text = _words_of_place(said.location or {})
        yield replace(said, text=text, location=None, degraded=(*said.degraded, "location"))


def _cards(said: Said, shows: frozenset[str] | None, limit: TextLimit | None) -> Iterator[Said]:
    if shows is None or "cards" in shows:
        yield said
        return
    degraded = (*said.degraded, "cards")
    if said.text:
        yield Said(said.text, degraded=degraded)
    for place, card in enumerate(said.cards, start=1):
        image, is_last = card.get("image"), place == len(said.cards)
        one = Said(_words(card), tuple(card.get("buttons", ())), degraded=degraded)
        if is_last:
            one = replace(one, buttons=(*one.buttons, *said.buttons), quick_replies=said.quick_replies)
        yield from _media(replace(one, media={"type": "image", "url": image}), shows, limit) if image else (one,)


def _words(card: Mapping[str, Any]) -> str:
    return "\n".join(filter(None, (card["title"], card.get("text"))))


def _link(media: Mapping[str, Any]) -> str:
    return f"{media['name']}: {media['url']}" if media.get("name") else str(media["url"])


def _words_of_place(place: Mapping[str, Any]) -> str:
    return "\n".join(filter(None, (place.get("name"), place.get("address"), MAP.format_map(place))))
