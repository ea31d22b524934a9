from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.web.pagination import decode_cursor, encode_cursor, page, page_limit
from servicekit.web.problems import ProblemError


@given(
    st.text(st.characters(exclude_characters="\x00", codec="utf-8")),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
)
def test_a_cursor_round_trips(text, number):
    assert decode_cursor(encode_cursor(text, number), str, int) == (text, number)


def test_an_id_of_a_cursor_is_one_in_its_usual_form():
    id = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e09"
    assert decode_cursor(encode_cursor(1, id.upper()), int, UUID) == (1, id)
    with pytest.raises(ProblemError, match="422"):
        decode_cursor(encode_cursor(1, id[1:]), int, UUID)


def test_no_cursor_is_the_first_page():
    assert decode_cursor(None, str) is None


@pytest.mark.parametrize("cursor", ["", "!", "é", "W10", encode_cursor(1), encode_cursor("a", "b"), "bnVsbA", "AAA"])
def test_any_other_text_is_422(cursor):
    with pytest.raises(ProblemError, match="422") as refused:
        decode_cursor(cursor, str)
    assert [error["pointer"] for error in refused.value.extra["errors"]] == ["query/cursor"]


@pytest.mark.parametrize(("given_limit", "taken"), [(None, 50), (1, 1), ("200", 200)])
def test_limits(given_limit, taken):
    assert page_limit(given_limit) == taken


@pytest.mark.parametrize("limit", [0, 201, "-1", "many"])
def test_limits_outside_are_422(limit):
    with pytest.raises(ProblemError, match="422") as refused:
        page_limit(limit)
    assert [error["pointer"] for error in refused.value.extra["errors"]] == ["query/limit"]


def test_pages_follow_each_other_to_the_end():
    rows, seen, cursor = list(range(7)), [], None
    while True:
        after = decode_cursor(cursor, int)
        fetched = [row for row in rows if after is None or row > after[0]][:4]
        items, cursor = page(fetched, 3, lambda row: (row,))
        seen += items
        if cursor is None:
            break
    assert seen == rows


def test_a_cursor_with_text_that_no_database_holds_is_422():
    with pytest.raises(ProblemError) as refused:
        decode_cursor(encode_cursor("a\x00"), str)
    assert refused.value.status == 422
