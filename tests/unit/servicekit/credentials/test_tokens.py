from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.credentials import base62, tokens
from servicekit.credentials.tokens import LENGTH, generate_token, parse_token


def test_ten_thousand_tokens_round_trip():
    made = [generate_token() for _ in range(10_000)]
    for token in made:
        assert parse_token(token.text) == (token.id, True)
        assert token.sha256 == sha256(token.text.encode()).hexdigest()
    assert len({token.text for token in made}) == len({token.id for token in made}) == 10_000


def test_a_token_is_base62_in_fixed_widths():
    token = generate_token()
    prefix, id, random, checksum = token.text.split("_")
    assert (prefix, len(id), len(random), len(checksum)) == ("swh", 22, 43, 6)
    assert (id + random + checksum).isalnum()
    assert UUID(int=base62.decode(id)) == UUID(token.id)


def test_a_wrong_character_shows_in_the_checksum():
    text = generate_token().text
    for position in [*range(4, 26), *range(27, 70), *range(71, LENGTH)]:
        other = "a" if text[position] != "a" else "b"
        parsed = parse_token(text[:position] + other + text[position + 1 :])
        assert parsed is None or not parsed.genuine


@pytest.mark.parametrize(
    "text",
    [
        "",
        "swh_",
        "x" * LENGTH,
        "swh_" + "-" * (LENGTH - 4),
        "swh_" + "_" * (LENGTH - 4),
        generate_token().text + "a",
        generate_token().text[:-1],
        generate_token().text.replace("swh_", "sw__"),
        "swh_" + "z" * 22 + generate_token().text[26:],  # More than 128 bits of id.
        generate_token().text[:-1] + "é",
    ],
    ids=[
        "nothing", "the prefix alone", "x", "hyphens", "underscores", "too long", "too short", "another prefix",
        "a too large id", "not ASCII",
    ],
)  # fmt: skip
def test_what_has_not_the_shape_of_a_token_is_none(text):
    assert parse_token(text) is None


@given(st.integers(min_value=0, max_value=62**22 - 1))
def test_base62_round_trips(number):
    assert base62.decode(base62.encode(number, 22)) == number


def test_base62_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="fit"):
        base62.encode(62**6, 6)
    with pytest.raises(ValueError, match="base 62"):
        base62.decode("a-b")


def test_the_digest_takes_any_text():
    assert tokens.digest("é") == sha256("é".encode()).hexdigest()
