"""A text that is longer than one message of its channel."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlang.model import Say
from flowlang.running.parts import TextLimit, in_parts

LIMIT = TextLimit(20)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [""]),
        ("x" * 20, ["x" * 20]),
        ("first line\n\nsecond one. third", ["first line", "second one. third"]),
        ("its one line\nanother one. and more", ["its one line", "another one.", "and more"]),
        ("A sentence here. Another one.", ["A sentence here.", "Another one."]),
        ("see https://a.example/path now", ["see", "https://a.example/pa", "th now"]),
        ("look: https://a.ex/path now", ["look:", "https://a.ex/path", "now"]),
        ("x" * 45, ["x" * 20, "x" * 20, "x" * 5]),
        ("word " * 4 + "\n", ["word word word word"]),
        (" " * 30 + "x", ["x"]),
        ("🇺🇦" * 6, ["🇺🇦" * 5, "🇺🇦"]),
        ("👍🏽" * 6, ["👍🏽" * 5, "👍🏽"]),
        ("e\u0301" * 11, ["e\u0301" * 10, "e\u0301"]),
    ],
)
def test_a_long_text_is_cut_where_a_reader_pauses(text: str, parts: list[str]) -> None:
    assert in_parts(text, LIMIT) == parts


def test_without_a_limit_it_is_one_message() -> None:
    assert in_parts("x" * 100_000, None) == ["x" * 100_000]


@given(st.text(alphabet="ab .\n👍🏽\u200d\u0301🇺", max_size=300), st.sampled_from(("characters", "bytes")))
def test_nothing_but_space_is_lost_and_no_part_is_too_long(text: str, unit: Any) -> None:
    parts = in_parts(text, TextLimit(20, unit))
    assert "".join("".join(parts).split()) == "".join(text.split())
    encoding, width = ("utf-8", 1) if unit == "bytes" else ("utf-16-le", 2)
    assert all(len(part.encode(encoding)) <= 20 * width for part in parts)


def test_the_parts_are_messages_in_order_and_the_last_one_has_the_buttons(talk: Any) -> None:
    button = {"id": "yes", "title": "Yes", "to": "done"}
    long = " ".join(["word"] * 2000)
    t = talk({
        "a": {"type": "say", "parts": [{"text": long, "buttons": [button]}, {"text": "And?"}]},
        "done": {"type": "say", "parts": [{"text": "Done."}]},
    })  # fmt: skip
    t.tools.channel["text_limit"] = TextLimit(4096)
    t.say("/go")
    assert [len(text) for text in t.texts] == [4094, 4094, 1809, 4]
    assert " ".join(t.texts[:3]) == long
    assert [len(said.buttons) for said in t.effects(Say)] == [0, 0, 1, 0]
    assert [said.seq for said in t.effects(Say)] == [1, 2, 3, 4]
    t.tap("Yes")
    assert t.texts == ["Done."]


def test_an_answer_over_http_is_the_whole_text(talk: Any) -> None:
    t = talk({"a": {"type": "say", "parts": [{"text": "word " * 10}]}})
    t.tools.channel["text_limit"] = LIMIT
    t.say("/go")
    assert len(t.texts) == 3
    assert [end.answer for end in t.turn.rests] == ["word " * 10]
