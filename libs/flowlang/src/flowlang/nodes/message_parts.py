"""The parts of a `say`: what an author writes, and what becomes of it in a turn.

A part is a text, with or without one of: a picture, video, recording or file by its URL, a place, cards. `per_channel` puts
other fields in the place of these on one type of channel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from contracts.web_url import web_url
from flowlang.building.compiler import Compiler
from flowlang.building.fields import LONGEST_PAYLOAD, PAYLOAD_MARK, DocumentModel, NodeId, OptionId, Payload
from flowlang.building.titles import check_shown, check_text, check_title
from flowlang.expressions.templates import Template
from flowlang.inputs.options import title_of
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

OPENABLE = ("https://", "http://", "mailto:", "tel:")
MEDIA = ("image", "video", "audio", "file")
SAME_FIELDS = "x-same-fields"
"""In the JSON Schema: the objects in it have the fields of the object that it is in, which a page shows once."""
MOST_CARDS = 10
MOST_BUTTONS_OF_A_CARD = 5


class QuickReply(DocumentModel):
    """A suggestion that vanishes after a tap. Without `to` the tap is the title as the person's message, with the `payload`."""

    id: OptionId
    """Its name within the node."""
    title: str = Field(min_length=1, max_length=200)
    """What is on it; may have merge tags. Its id is shown where they come to nothing."""
    to: NodeId | None = None
    """The node that a tap leads to, now or later."""
    payload: Payload | None = None
    """What a tap brings beside the title, for a trigger `button` of any flow of the bot; may have merge tags. Not with `to`."""


class Button(QuickReply):
    """A button under the message. With `url` it opens that; `track` tells when it was followed."""

    url: str | None = None
    """What it opens; may have merge tags. Either this, or `to`, or `payload`."""
    track: bool = False
    """Whether the link tells (the event `redirect.followed`) that it was opened."""


class Location(DocumentModel):
    """A place on earth."""

    latitude: float | str
    """Degrees north: a number, or a text with merge tags."""
    longitude: float | str
    """Degrees east: a number, or a text with merge tags."""
    name: str | None = None
    """What is there; may have merge tags."""
    address: str | None = None
    """Where that is, in words; may have merge tags."""


class Card(DocumentModel):
    """One of several cards that stand side by side."""

    title: str = Field(min_length=1, max_length=200)
    """Its heading; may have merge tags."""
    text: str | None = None
    """What is below that; may have merge tags."""
    image: str | None = None
    """The URL of its picture; may have merge tags."""
    buttons: tuple[Button, ...] = Field(default=(), max_length=MOST_BUTTONS_OF_A_CARD)
    """Its own buttons."""


class Fields(DocumentModel):
    """What one message shows."""

    text: str | None = Field(default=None, min_length=1)
    """What the bot writes, or the caption of a picture; may have merge tags."""
    image: str | None = None
    """The URL of a picture, which the channel's platform or page fetches; may have merge tags."""
    video: str | None = None
    """The URL of a video, as `image`."""
    audio: str | None = None
    """The URL of a recording, as `image`."""
    file: str | None = None
    """The URL of any other file, as `image`."""
    name: str | None = Field(default=None, max_length=200)
    """What the file is called where it cannot be shown; may have merge tags."""
    location: Location | None = None
    """A place on earth."""
    cards: tuple[Card, ...] = Field(default=(), max_length=MOST_CARDS)
    """Cards that stand side by side."""
    buttons: tuple[Button, ...] = Field(default=(), max_length=20)
    """Buttons under the message."""
    quick_replies: tuple[QuickReply, ...] = Field(default=(), max_length=20)
    """Suggestions that vanish after a tap."""

    def options(self) -> Iterator[tuple[tuple[str | int, ...], QuickReply]]:
        """(place, button) of all that can be tapped."""
        for index, card in enumerate(self.cards):
            for at, button in enumerate(card.buttons):
                yield ("cards", index, "buttons", at), button
        for at, button in enumerate(self.buttons):
            yield ("buttons", at), button
        for at, reply in enumerate(self.quick_replies):
            yield ("quick_replies", at), reply


class Part(Fields):
    """One message. It has a text, or a picture, video, recording, file, place or cards, or a text and one of these."""

    per_channel: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")], Fields] = Field(
        default_factory=dict, max_length=10, json_schema_extra={SAME_FIELDS: True}
    )
    """Type of channel → the fields that are other ones there; `null` leaves one out."""

    def all_options(self) -> Iterator[tuple[tuple[str | int, ...], QuickReply]]:
        """Those of each channel, too."""
        yield from self.options()
        for type, fields in self.per_channel.items():
            for place, option in fields.options():
                yield ("per_channel", type, *place), option


@dataclass(frozen=True, slots=True)
class Option:
    """A running button."""

    id: str
    title: Template
    url: Template | None
    payload: Template | None
    track: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A running message of one type of channel. `media`: type, URL and name; `location`: its fields by name."""

    text: Template | None = None
    media: tuple[str, Template, Template | None] | None = None
    location: Mapping[str, Template | float] | None = None
    cards: tuple[tuple[Mapping[str, Template | None], tuple[Option, ...]], ...] = ()
    buttons: tuple[Option, ...] = ()
    quick_replies: tuple[Option, ...] = ()

    def is_text(self) -> bool:
        """Whether there is nothing beside its text, as of most."""
        return not (self.media or self.location or self.cards or self.buttons or self.quick_replies)

    def is_of_one_kind(self) -> bool:
        """Whether it has no more than one thing beside its text."""
        return sum(map(bool, (self.media, self.location, self.cards))) <= 1

    def is_nothing(self) -> bool:
        """Whether there is nothing in it that could be shown."""
        return not self.text and self.is_text()

    def options(self) -> Iterator[Option]:
        """All that can be tapped."""
        for _, buttons in self.cards:
            yield from buttons
        yield from (*self.buttons, *self.quick_replies)


def build_part(part: Part, compiler: Compiler) -> tuple[Shown, dict[str, Shown]]:
    """The message, and those of the channels that have their own. What is wrong goes to the compiler."""
    base = _changed(Shown(), part, frozenset(Fields.model_fields), compiler)
    _check(base, part, compiler)
    for kind in _kinds(base):
        check_shown(compiler, kind, without=part.per_channel)
    own = {}
    for type, fields in part.per_channel.items():
        with compiler.at("per_channel", type):
            whole = _merged(part, fields)
            own[type] = _changed(base, whole, fields.model_fields_set, compiler)
            _check(own[type], whole, compiler)
            for kind in _kinds(own[type]):
                check_shown(compiler, kind, only=type)
    return base, own


def _merged(part: Fields, fields: Fields) -> Fields:
    """Those of one channel, and the others of the part; a file in place of another one."""
    given = fields.model_fields_set
    gone = frozenset(MEDIA) if not given.isdisjoint(MEDIA) else frozenset()
    source = {name: fields if name in given or name in gone else part for name in Fields.model_fields}
    return Fields.model_construct(**{name: getattr(one, name) for name, one in source.items()})


def _check(shown: Shown, fields: Fields, compiler: Compiler) -> None:
    if shown.is_nothing():
        compiler.problem("nothing", "a message needs a text, a picture, a file, a place or cards")
    if not shown.is_of_one_kind() or sum(getattr(fields, kind) is not None for kind in MEDIA) > 1:
        kinds = ", ".join(("location", "cards", *MEDIA))
        compiler.problem("one-kind", f"a message has one of these at most: {kinds}; write a part for each")


def _kinds(shown: Shown) -> Iterator[str]:
    if shown.media:
        yield shown.media[0]
    if shown.location:
        yield "location"
    if shown.cards:
        yield "cards"


def _changed(base: Shown, fields: Fields, names: Set[str], compiler: Compiler) -> Shown:
    """The message with these fields in place of its own."""
    made: dict[str, Any] = {}
    if "text" in names:
        made["text"] = compiler.template(fields.text, "text") if fields.text else None
        if fields.text:
            check_text(compiler, fields.text, "text")
    if not names.isdisjoint((*MEDIA, "name")):
        made["media"] = _built_media(fields, compiler)
    if "location" in names:
        made["location"] = _built_location(fields.location, compiler) if fields.location else None
    if "cards" in names:
        made["cards"] = tuple(_built_card(card, at, compiler) for at, card in enumerate(fields.cards))
    if "buttons" in names:
        made["buttons"] = _built_options(fields.buttons, "buttons", compiler)
    if "quick_replies" in names:
        made["quick_replies"] = _built_options(fields.quick_replies, "quick_replies", compiler)
    return replace(base, **made)


def _built_media(fields: Fields, compiler: Compiler) -> tuple[str, Template, Template | None] | None:
    for kind in MEDIA:
        if source := getattr(fields, kind):
            name = compiler.template(fields.name, "name") if fields.name else None
            return kind, compiler.link(source, kind), name
    if fields.name:
        compiler.problem("name", "`name` is that of a file: there is none here", "name")
    return None


def _built_location(location: Location, compiler: Compiler) -> dict[str, Template | float]:
    made: dict[str, Template | float] = {}
    for name in Location.model_fields:
        value = getattr(location, name)
        if isinstance(value, str):
            made[name] = compiler.template(value, "location", name)
        elif value is not None:
            made[name] = value
    return made


def _built_card(card: Card, at: int, compiler: Compiler) -> tuple[Mapping[str, Template | None], tuple[Option, ...]]:
    with compiler.at("cards", at):
        texts = {
            "title": compiler.template(card.title, "title"),
            "text": compiler.template(card.text, "text") if card.text else None,
            "image": compiler.link(card.image, "image") if card.image else None,
        }
        return texts, _built_options(card.buttons, "buttons", compiler)


def _built_options(options: tuple[QuickReply, ...], name: str, compiler: Compiler) -> tuple[Option, ...]:
    made = []
    for at, option in enumerate(options):
        with compiler.at(name, at):
            made.append(_built_option(option, compiler))
    return tuple(made)


def _built_option(option: QuickReply, compiler: Compiler) -> Option:
    check_title(compiler, option.title)
    source = option.url if isinstance(option, Button) else None
    if sum(1 for one in (source, option.to, option.payload) if one) > 1:
        compiler.problem("button", "a button opens a `url`, leads `to` a node or has a `payload`: one of these")
    track = isinstance(option, Button) and option.track
    if track and not source:
        compiler.problem("button", "`track` needs a `url`", "track")
    url = compiler.link(source, "url") if source else None
    payload = compiler.template(option.payload, "payload") if option.payload else None
    return Option(option.id, compiler.template(option.title, "title"), url, payload, track)


def say_part(shown: Shown, run: StepContext, **how: Any) -> None:
    """Send it, unless there is nothing to show: the trace names what was missing. Raises NodeError."""
    text = shown.text.render(run) if shown.text else ""
    if shown.is_text():
        if text.strip():
            run.say(text, **how)
        return
    more = _more(shown, run)
    if not (text.strip() or more or shown.cards or any(shown.options())):
        return
    titles: dict[str, str] = {}
    if shown.cards:
        more["cards"] = tuple(_card(texts, buttons, titles, run) for texts, buttons in shown.cards)
    buttons = [_button(button, titles, run) for button in shown.buttons]
    replies = [_button(reply, titles, run) for reply in shown.quick_replies]
    payloads = {one.id: _payload(one.payload, run) for one in shown.options() if one.payload is not None}
    tap = {"titles": titles} | ({"payloads": payloads} if payloads else {})
    run.say(text, buttons, replies, tap=tap if titles else None, more=more, **how)


def _more(shown: Shown, run: StepContext) -> dict[str, Any]:
    if shown.media:
        kind, url, name = shown.media
        media = {"type": kind, "url": _fetchable(url.render(run))}
        return {"media": media | ({"name": called} if name and (called := name.render(run).strip()) else {})}
    if shown.location:
        place = {
            name: _degrees(shown.location[name], most, run) for name, most in (("latitude", 90), ("longitude", 180))
        }
        words = {
            name: one.render(run)
            for name in ("name", "address")
            if isinstance(one := shown.location.get(name), Template)
        }
        return {"location": place | {name: word for name, word in words.items() if word.strip()}}
    return {}


def _degrees(value: Template | float, most: int, run: StepContext) -> float:
    """Raises NodeError when it is no angle of that size."""
    try:
        found = float(value.render(run)) if isinstance(value, Template) else value
    except ValueError:
        found = math.nan
    if not abs(found) <= most:
        raise NodeError(
            "location", f"a place has a latitude from -90 to 90 and a longitude from -180 to 180, not {found}"
        )
    return found


def _card(
    texts: Mapping[str, Template | None], buttons: tuple[Option, ...], titles: dict[str, str], run: StepContext
) -> dict[str, Any]:
    card = {name: words for name, text in texts.items() if text is not None and (words := text.render(run).strip())}
    if "image" in card:
        card["image"] = _fetchable(card["image"])
    shown = tuple(_button(button, titles, run) for button in buttons)
    return {"title": "", **card, **({"buttons": shown} if shown else {})}


def _button(option: Option, titles: dict[str, str], run: StepContext) -> dict[str, Any]:
    """What is shown of it; `titles` gets the title of one that does not open a URL."""
    title = title_of(option.id, option.title, run)
    if option.url is not None:
        return {"title": title, "url": _openable(option.url.render(run), option, run)}
    titles[option.id] = title
    return {"title": title, "payload": run.payload(run.next_seq, option.id)}


def _openable(url: str, option: Option, run: StepContext) -> str:
    if not url.startswith(OPENABLE) or any(ord(character) <= 32 for character in url):
        raise NodeError("button-url", f"the button {option.id!r} has no address that can be opened: {url[:100]!r}")
    return run.redirect(_trackable(url, option)) if option.track else url


def _trackable(url: str, option: Option) -> str:
    """Our own link leads there, so it has to lead where it reads as leading. A generated URL has a longer path than `web_url` takes."""
    try:
        if url.startswith("http"):
            web_url(re.split(r"(?<![:/])[/?#]", url, maxsplit=1)[0])
    except ValueError as error:
        detail = f"the button {option.id!r} cannot lead to {url[:100]!r}: {error}"
        raise NodeError("button-url", detail) from error
    return url


def _fetchable(url: str) -> str:
    """Raises NodeError: the platform would be told an address that leads nowhere, or elsewhere than it reads."""
    try:
        return web_url(url.strip())
    except ValueError as error:
        raise NodeError("media-url", f"no address that a file can be fetched from: {url[:100]!r}: {error}") from error


def _payload(template: Template, run: StepContext) -> str:
    payload = template.render(run)
    if not payload or len(payload) > LONGEST_PAYLOAD or payload.startswith(PAYLOAD_MARK):
        detail = f"a payload has 1 to {LONGEST_PAYLOAD} characters and does not begin with {PAYLOAD_MARK!r}: {payload[:100]!r}"
        raise NodeError("button-payload", detail)
    return payload
