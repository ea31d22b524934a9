"""Each kind of input: what is an answer, what is kept of it, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

PHOTO = {"type": "photo", "file_id": "F1", "size": 9}
OWN = {"type": "contact", "phone": "4930901820", "first_name": "Ann", "verified": True}
GOOD: list[tuple[dict[str, Any], str, Any]] = [
    ({"type": "text", "mask": "AA-9999"}, "ab1234", "ab-1234"),
    ({"type": "text", "mask": "AA-9999"}, "AB-1234", "AB-1234"),
    ({"type": "text", "mask": "AA-9999"}, "éß-٣１२4", "éß-3124"),
    ({"type": "text", "mask": "**"}, "é٣", "é3"),
    ({"type": "text", "mask": "+7 (999) *"}, "912x", "+7 (912) x"),
    ({"type": "number", "multiple_of": 0.1}, "0,3", 0.3),
    ({"type": "number", "multiple_of": 25, "max": 100}, "75", 75),
    ({"type": "email"}, "Ann@EXAMPLE.com", "Ann@example.com"),
    ({"type": "email"}, "я@почта.рф", "я@почта.рф"),
    ({"type": "phone"}, "+49 (30) 90-18-20", "+4930901820"),
    ({"type": "phone", "region": "DE"}, "030 901820", "+4930901820"),
    ({"type": "phone", "region": "RU"}, "8 912 345-67-89", "+79123456789"),
    ({"type": "phone", "region": "DE"}, "+1 650-253-0000", "+16502530000"),
    ({"type": "phone"}, "٠٠", None),
    ({"type": "url"}, "Example.COM/Path?q=1#x", "https://example.com/Path?q=1#x"),
    ({"type": "url"}, "http://bücher.de:8080", "http://xn--bcher-kva.de:8080"),
    ({"type": "url"}, "https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
    ({"type": "date"}, "24.12.2026", "2026-12-24"),
    ({"type": "date"}, "2026-12-24", "2026-12-24"),
    ({"type": "date"}, "1.2.27", "2027-02-01"),
    ({"type": "date"}, "24.12", "2026-12-24"),
    ({"type": "date"}, "1.2", "2027-02-01"),
    ({"type": "date"}, "29.2", "2028-02-29"),
    ({"type": "date"}, "Tomorrow", "2026-11-22"),
    ({"type": "date", "words": {"übermorgen": 2}}, "UBERMORGEN", "2026-11-23"),
    ({"type": "date", "formats": ["MM/DD/YYYY"]}, "2/3/2026", "2026-02-03"),
    ({"type": "date", "formats": ["DDMMYY"]}, "030226", "2026-02-03"),
    ({"type": "date", "min": "today", "max": "today+14"}, "21.11.2026", "2026-11-21"),
    ({"type": "date", "timezone": "Pacific/Kiritimati"}, "today", "2026-11-22"),
    ({"type": "date"}, "\uff12\uff14.12.2026", "2026-12-24"),
    ({"type": "time"}, "9:05", "09:05"),
    ({"type": "time"}, "23.59", "23:59"),
    ({"type": "time"}, "9 pm", "21:00"),
    ({"type": "time"}, "12:30am", "00:30"),
    ({"type": "time"}, "12 P.M.", "12:00"),
    ({"type": "time", "formats": ["HH"], "min": "09:00", "max": "18:00"}, "9", "09:00"),
    ({"type": "time", "multiple_of": 30}, "10:30", "10:30"),
    ({"type": "location"}, "52.52, 13.405", {"latitude": 52.52, "longitude": 13.405}),
    ({"type": "location"}, "-33.9 151", {"latitude": -33.9, "longitude": 151.0}),
    ({"type": "yes_no"}, "YES", True),
    ({"type": "yes_no"}, "2", False),
    ({"type": "yes_no", "yes": {"title": "Да", "synonyms": ["конечно"]}}, "Конечно", True),
    ({"type": "time"}, "9pm", "21:00"),
    ({"type": "time"}, "9:30pm", "21:30"),
    ({"type": "email"}, "\u200eann@example.com\u2069", "ann@example.com"),
    ({"type": "number"}, "\u200f12", 12),
    ({"type": "yes_no"}, "yes\u200b", True),
    ({"type": "text"}, "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f3f4\U000e0067\U000e0062\U000e007f"),
]  # fmt: skip
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"type": "text", "mask": "AA-9999"}, "AB-123"),
    ({"type": "text", "mask": "9*"}, "1²"),
    ({"type": "text", "mask": "9*"}, "1½"),
    ({"type": "text", "mask": "AA-9999"}, "AB-12345"),
    ({"type": "text", "mask": "AA-9999"}, "A1-1234"),
    ({"type": "number", "multiple_of": 25}, "30"),
    ({"type": "number"}, "9" * 65),
    ({"type": "email"}, "a@b"),
    ({"type": "email"}, f"{'a' * 250}@example.com"),
    ({"type": "phone"}, "030 901820"),
    ({"type": "phone"}, "+49 1"),
    ({"type": "phone", "region": "US"}, "650-253-0000 ext. 5"),
    ({"type": "phone"}, "+" * 64),
    ({"type": "url"}, "hello"),
    ({"type": "url"}, "javascript:alert(1)"),
    ({"type": "url"}, "ftp://example.com"),
    ({"type": "url"}, "https://user:secret@example.com"),
    ({"type": "url"}, "https://1.2.3.999/"),
    ({"type": "date"}, "31.2.2026"),
    ({"type": "date"}, "2/3/2026"),
    ({"type": "date", "min": "today"}, "20.11.2026"),
    ({"type": "date", "max": "2026-12-01"}, "2.12.2026"),
    ({"type": "date", "formats": ["YYYY-MM-DD"]}, "0000-01-01"),
    ({"type": "time"}, "24:00"),
    ({"type": "time"}, "13 pm"),
    ({"type": "time"}, "9:5"),
    ({"type": "time", "multiple_of": 30}, "10:15"),
    ({"type": "time", "min": "09:00"}, "08:59"),
    ({"type": "location"}, "91, 0"),
    ({"type": "location"}, "here"),
    ({"type": "location"}, "12"),
    ({"type": "location"}, "13.13.2026"),
    ({"type": "text"}, "\u200b\u2060"),
    ({"type": "file"}, "a text"),
    ({"type": "contact"}, "+4930901820"),
    ({"type": "yes_no"}, "perhaps"),
    ({"type": "yes_no"}, "3"),
]  # fmt: skip


def asking(input: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "ask": {
            "type": "ask", "text": "Well?", "input": {**input, "save_to": "memory.answer"},
            "retry": {"max": 0}, "ports": {"ok": "good", "invalid": "bad"}, **more,
        },
        "good": {"type": "delay", "for": "PT1M"},
        "bad": {"type": "end"},
    }  # fmt: skip


def after(talk: Any, input: dict[str, Any], text: str | None, **more: Any) -> Any:
    t = talk(asking(input))
    t.say("/go")
    t.say(text, **more)
    return t


@pytest.mark.parametrize(
    ("input", "text", "kept"), [one for one in GOOD if one[2] is not None], ids=lambda one: str(one)
)
def test_a_good_answer_is_kept_in_one_form(talk: Any, input: dict[str, Any], text: str, kept: Any) -> None:
    t = after(talk, input, text)
    assert t.waits_at == "good"
    assert t.memory["answer"] == kept


@pytest.mark.parametrize(("input", "text"), WRONG, ids=lambda one: str(one)[:60])
def test_anything_else_is_none(talk: Any, input: dict[str, Any], text: str) -> None:
    assert after(talk, input, text).path == ["ask", "bad"]


@pytest.mark.parametrize(
    ("input", "text", "attachment", "kept"),
    [
        ({"type": "phone"}, "4930901820", OWN, "+4930901820"),
        ({"type": "contact", "own": True}, None, OWN, {"phone": "+4930901820", "first_name": "Ann", "verified": True}),
        ({"type": "contact"}, None, {"type": "contact", "phone": "+4930901820"}, {"phone": "+4930901820", "verified": False}),
        ({"type": "location"}, None, {"type": "location", "latitude": 1, "longitude": -2.5, "name": "Home"},
         {"latitude": 1.0, "longitude": -2.5, "name": "Home"}),
        ({"type": "file"}, "look", PHOTO, {"type": "image", "file_id": "F1", "size": 9, "caption": "look"}),
        ({"type": "file", "kinds": ["image"]}, None, {"type": "document", "mime": "image/png", "url": "https://a.example/b"},
         {"type": "image", "mime": "image/png", "url": "https://a.example/b"}),
        ({"type": "file", "kinds": ["audio"]}, None, {"type": "voice", "file_id": "V"}, {"type": "audio", "file_id": "V"}),
    ],
)  # fmt: skip
def test_what_came_beside_the_text(
    talk: Any, input: dict[str, Any], text: str | None, attachment: dict[str, Any], kept: Any
) -> None:
    t = after(talk, input, text, attachments=[attachment])
    assert t.waits_at == "good"
    assert t.memory["answer"] == kept


@pytest.mark.parametrize(
    ("input", "attachment"),
    [
        ({"type": "contact", "own": True}, {**OWN, "verified": False}),
        ({"type": "contact"}, {"type": "contact"}),
        ({"type": "location"}, {"type": "location", "latitude": "1", "longitude": 2}),
        ({"type": "location"}, {"type": "location", "latitude": float("nan"), "longitude": 2}),
        ({"type": "location"}, {"type": "location", "latitude": True, "longitude": 2}),
        ({"type": "file", "kinds": ["video"]}, PHOTO),
        ({"type": "file", "max_size": 8}, PHOTO),
        ({"type": "file"}, {"type": "poll"}),
    ],
)
def test_what_came_beside_the_text_and_is_none(talk: Any, input: dict[str, Any], attachment: dict[str, Any]) -> None:
    assert after(talk, input, None, attachments=[attachment]).path == ["ask", "bad"]


@pytest.mark.parametrize("text", ["Café", "cafe", " CAFÉ ", "cafe\u0301", "1.", "#1", "KAFFEE"])
def test_options_are_compared_without_case_and_accents(talk: Any, text: str) -> None:
    options = [{"id": "c", "title": "Café", "synonyms": ["káffee"]}, {"id": "t", "title": "Tea"}]
    assert after(talk, {"type": "choice", "options": options}, text).memory["answer"] == "c"


def test_a_title_as_it_stands_wins_over_one_that_is_only_alike(talk: Any) -> None:
    options = [{"id": "a", "title": "resume"}, {"id": "b", "title": "résumé"}]
    assert after(talk, {"type": "choice", "options": options}, "résumé").memory["answer"] == "b"


def test_yes_and_no_are_buttons_and_may_lead_to_nodes_of_their_own(talk: Any) -> None:
    t = talk(asking({"type": "yes_no", "yes": {"title": "Ja"}, "no": {"title": "Nein", "to": "bad"}}))
    t.say("/go")
    assert set(t.payloads) == {"Ja", "Nein"}
    t.tap("Nein")
    assert t.path == ["ask", "bad"]


def test_today_is_the_day_of_the_event_where_the_person_is(talk: Any) -> None:
    t = talk(asking({"type": "date"}))
    t.contact.profile["timezone"] = "Pacific/Kiritimati"  # UTC+14
    t.say("/go")
    t.say("today")
    assert t.memory["answer"] == "2026-11-22"
