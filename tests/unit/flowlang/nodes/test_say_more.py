"""Pictures, files, places and cards: what a message holds, what a channel cannot show, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from flowlang.model import Say
from flowlang.running.parts import TextLimit
from support.dialogue import Dialogue, document

URL = "https://shop.example.com/a.png"
PLACE = {"latitude": 52.5, "longitude": 13.4, "name": "Shop", "address": "Street 1"}
CARDS = [
    {"title": "Tea", "text": "Green", "image": URL, "buttons": [{"id": "tea", "title": "Take tea", "to": "b"}]},
    {"title": "Cup {{ user.name }}"},
]
NO_CARDS = frozenset(("image", "video", "audio", "file", "location"))


def saying(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "a": {"type": "say", "parts": list(parts), "ports": {"error": "failed"}, **fields},
        "b": {"type": "say", "parts": [{"text": "There"}]},
        "failed": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]},
    }


def on(channel: dict[str, Any], *parts: dict[str, Any]) -> Dialogue:
    """A dialogue on such a channel, after its first turn."""
    talk = Dialogue(document(saying(*parts)))
    talk.tools.channel.update(channel)
    talk.say("/go")
    return talk


def told(talk: Dialogue) -> list[dict[str, Any]]:
    """What the messages hold, without what is empty."""
    names = ("text", "media", "location", "cards", "buttons", "quick_replies", "degraded")
    return [{name: value for name in names if (value := getattr(one, name))} for one in talk.effects(Say)]


@pytest.mark.parametrize("kind", ["image", "video", "audio", "file"])
def test_a_file_goes_by_its_url_with_its_caption(kind: str) -> None:
    part = {kind: "https://shop.example.com/{{ user.name }}.bin", "text": "Look, {{ user.name }}", "name": "A file"}
    media = {"type": kind, "url": "https://shop.example.com/Ann.bin", "name": "A file"}
    assert told(on({}, part)) == [{"text": "Look, Ann", "media": media}]
    words = {"text": f"Look, Ann\nA file: {media['url']}", "degraded": (kind,)}
    assert told(on({"shows": frozenset()}, part)) == [words]


def test_a_caption_that_is_too_long_follows_its_picture_and_keeps_the_buttons() -> None:
    part = {"image": URL, "text": "one two three", "buttons": [{"id": "x", "title": "X", "to": "b"}]}
    talk = on({"caption_limit": TextLimit(8), "text_limit": TextLimit(100)}, part)
    first, second = told(talk)
    assert first == {"media": {"type": "image", "url": URL}}
    assert (second["text"], len(second["buttons"])) == ("one two three", 1)
    talk.tap("X")
    assert talk.texts == ["There"]


def test_a_place_comes_after_its_text_and_is_a_link_where_it_cannot_be_shown() -> None:
    part = {"text": "Here:", "location": PLACE, "quick_replies": [{"id": "x", "title": "X"}]}
    shown = told(on({}, part))
    assert [one.get("location") for one in shown] == [None, PLACE]
    assert [bool(one.get("quick_replies")) for one in shown] == [False, True]
    words = told(on({"shows": frozenset()}, part))[1]
    assert words["text"].splitlines()[:2] == ["Shop", "Street 1"]
    assert "mlat=52.5&mlon=13.4" in words["text"]
    assert words["degraded"] == ("location",)


def test_cards_are_one_message_or_a_message_each_and_can_be_tapped_in_both() -> None:
    part = {"text": "Which?", "cards": CARDS, "buttons": [{"id": "none", "title": "None", "to": "b"}]}
    (shown,) = told(on({}, part))
    assert [card["title"] for card in shown["cards"]] == ["Tea", "Cup Ann"]
    assert shown["cards"][0]["buttons"][0]["title"] == "Take tea"
    talk = on({"shows": NO_CARDS}, part)
    first, tea, cup = told(talk)
    assert first == {"text": "Which?", "degraded": ("cards",)}
    assert (tea["text"], tea["media"]["url"], tea["buttons"][0]["title"]) == ("Tea\nGreen", URL, "Take tea")
    assert (cup["text"], cup["buttons"][0]["title"], cup["degraded"]) == ("Cup Ann", "None", ("cards",))
    talk.tap("Take tea")
    assert talk.texts == ["There"]
    assert told(on({"shows": frozenset()}, {"cards": CARDS}))[0]["text"] == f"Tea\nGreen\n{URL}"
    assert told(on({}, {"cards": [{"title": "Tea"}]})) == [{"cards": ({"title": "Tea"},)}]


def test_a_type_of_channel_may_have_its_own_message() -> None:
    own = {"text": "Short", "video": "https://shop.example.com/a.mp4", "buttons": []}
    part = {"image": URL, "text": "Long", "buttons": [{"id": "x", "title": "X"}], "per_channel": {"telegram": own}}
    assert told(on({}, part)) == [{"text": "Short", "media": {"type": "video", "url": own["video"]}}]
    assert told(on({"type": "webchat"}, part))[0]["media"]["url"] == URL
    without = {**part, "per_channel": {"telegram": {"image": None}}}
    assert "media" not in told(on({}, without))[0]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "{{ user.none }}", "https://user:x@a.example/", "https://a .example/"]
)
def test_an_address_that_is_none_leaves_by_the_error_port(url: str) -> None:
    talk = Dialogue(document(saying({"image": "{{ user.url }}"})))
    talk.contact.variables["url"] = "" if "{{" in url else url
    talk.say("/go")
    assert talk.texts == ["media-url"]


def test_a_place_that_is_none_leaves_by_the_error_port() -> None:
    assert on({}, {"location": {"latitude": "{{ user.name }}", "longitude": 0}}).texts == ["location"]
    assert on({}, {"location": {"latitude": 91, "longitude": 0}}).texts == ["location"]


@pytest.mark.parametrize(
    ("part", "pointer", "code"),
    [
        ({}, "/nodes/a/parts/0", "nothing"),
        ({"image": URL, "video": URL}, "/nodes/a/parts/0", "one-kind"),
        ({"image": URL, "cards": CARDS}, "/nodes/a/parts/0", "one-kind"),
        ({"text": "x", "name": "y"}, "/nodes/a/parts/0/name", "name"),
        ({"image": "https://{{ user.name }}/"}, "/nodes/a/parts/0/image", "url"),
        ({"text": "x", "per_channel": {"telegram": {"text": None}}}, "/nodes/a/parts/0/per_channel/telegram", "nothing"),
        ({"text": "{{", "per_channel": {"telegram": {"text": "x"}}}, "/nodes/a/parts/0/text", "template"),
        (
            {"text": "x", "buttons": [{"id": "i", "title": "a", "to": "b"}],
             "per_channel": {"telegram": {"buttons": [{"id": "i", "title": "a", "to": "failed"}]}}},
            "/nodes/a/parts/0/per_channel/telegram/buttons/0", "duplicate-id",
        ),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_is_an_error_at_its_place(part: dict[str, Any], pointer: str, code: str) -> None:
    errors = [
        (one.pointer, one.code)
        for one in check(document(saying(part)))
        if one.severity == "error" and one.code != "unreachable"
    ]
    assert errors == [(pointer, code)]


def test_the_author_is_told_what_a_channel_cannot_show() -> None:
    known = KnownNames(shows={"telegram": NO_CARDS, "toy": frozenset(), "webchat": frozenset((*NO_CARDS, "cards"))})
    parts: list[dict[str, Any]] = [
        {"cards": CARDS},
        {"image": URL, "per_channel": {"toy": {"image": None, "text": "A picture"}}},
    ]
    found = [
        (one.pointer, one.message.split()[0])
        for one in check(document(saying(*parts)), known)
        if one.code == "not-shown"
    ]
    assert found == [("/nodes/a/parts/0", "telegram"), ("/nodes/a/parts/0", "toy")]


def test_a_button_whose_title_comes_to_nothing_shows_its_id() -> None:
    buttons = [
        {"id": "pay", "title": "{{ memory.nothing }} ", "to": "b"},
        {"id": "shop", "title": "{{ memory.nothing }}", "url": URL},
    ]
    [said] = told(on({}, {"text": "Well?", "buttons": buttons}))
    assert [one["title"] for one in said["buttons"]] == ["pay", "shop"]
