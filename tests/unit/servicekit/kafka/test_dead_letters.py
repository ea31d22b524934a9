"""A dead letter fits into its topic, whatever the record was, and says what of it was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import dlq
from contracts.topic import DLQ_RECORD_LIMIT
from servicekit.kafka.publisher import check_sizes
from servicekit.kafka.records import BAD_NAME, ERROR_LIMIT, LETTER_LIMIT, Record, dead_letter, size_of

MIB = 1 << 20


def record(
    key: bytes | None = b"k", value: bytes | None = b"v", headers: tuple[tuple[str, bytes | None], ...] = ()
) -> Record:
    return Record("in", 0, 7, 0, key, value, headers)


def cut(given: Record) -> tuple[str | None, Record]:
    """What the letter says was cut, and the letter."""
    letter = dead_letter("ingress", given, "bad-header", "why")
    assert size_of(letter) <= LETTER_LIMIT < DLQ_RECORD_LIMIT
    check_sizes([letter])
    said = dict(letter.headers).get(dlq.CUT)
    return said and said.decode(), record(letter.key, letter.value, tuple(letter.headers))


BAD = BAD_NAME + "\\xff" * (3 * MIB // 2)
"""A name of 1.5 MiB of 0xFF, as our consumers hand it out: four characters for each byte."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (record(value=b"x" * (4 * MIB)), None),
        (record(headers=((BAD, b"1"), ("kept", b"2"))), f"headers {3 + 6 * MIB + 1 + 5}"),
        (record(value=b"x" * (4 * MIB), headers=((BAD, b"1"),)), f"headers {3 + 6 * MIB + 1}"),
        (record(value=b"x" * (9 * MIB)), f"value {9 * MIB}"),
        (record(key=b"k" * (6 * MIB)), f"key {6 * MIB}"),
        (record(key=b"k" * (3 * MIB), value=b"x" * (6 * MIB)), f"key {3 * MIB}, value {6 * MIB}"),
        (record(headers=tuple((f"h{n}", b"x" * 100) for n in range(60_000))), "headers 6348890"),
        (record(value=None, headers=(("h", b"x" * (6 * MIB)),)), f"headers {1 + 6 * MIB}"),
    ],
    ids=["fits", "name", "name and value", "value", "key", "key and value", "many", "header"],
)
def test_a_letter_that_would_be_too_large_is_cut_and_says_so(given: Record, said: str | None) -> None:
    found, letter = cut(given)
    assert found == said
    assert dict(letter.headers)[dlq.ERROR_CODE] == b"bad-header"
    assert dict(letter.headers)[dlq.ORIGINAL_OFFSET] == b"7"
    if "value" not in (said or ""):
        assert letter.value == given.value, "what says most is kept whole"


@given(st.text(max_size=3000))
def test_the_message_ends_with_a_whole_character(message: str) -> None:
    said = dict(dead_letter("ingress", record(), "failed", message).headers)[dlq.ERROR_MESSAGE]
    assert len(said) <= ERROR_LIMIT
    said.decode()
