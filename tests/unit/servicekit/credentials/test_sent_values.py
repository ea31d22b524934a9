"""What API calls and endpoints send along: sealed as it was, hidden where it stood."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.registry import HIDDEN, ApiCall
from servicekit.credentials.sealing import KeyRing, SealError
from servicekit.credentials.sent_values import MOST_LOOKED_FOR, sealed_values, sent_values

RING = KeyRing(f"k:{b64encode(bytes(range(32))).decode()}")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
QUERIES = st.lists(st.from_regex(r"[A-Za-z0-9%=+-]{1,12}", fullmatch=True), max_size=4).map("&".join)


def call(**fields) -> ApiCall:
    given = {"id": "c1", "project_id": "p1", "name": "seats", "method": "GET", "url": "https://api.example.com/x"}
    return ApiCall(**given | fields)


def sealed(entity: ApiCall) -> ApiCall:
    return entity.model_copy(update=sealed_values(RING, entity, None))


@given(
    QUERIES, st.dictionaries(NAMES, TEXTS, max_size=3), st.dictionaries(NAMES, TEXTS | st.integers(0, 9), max_size=3)
)
def test_what_is_sent_is_what_was_written(query, headers, params):
    url = "https://api.example.com/x" + (f"?{query}" if query else "") + "#top"
    kept = sealed(call(url=url, headers=headers, params=params))
    assert sent_values(RING, kept)[:3] == (url, headers, params)
    assert set(kept.headers.values()) | set(kept.params.values()) <= {HIDDEN}
    assert kept.headers.keys() | kept.params.keys() == headers.keys() | params.keys()


def test_no_value_shows_in_the_record():
    entity = call(url="https://api.example.com/x?key=query-value&bare-value", headers={"X-A": "header-value"})
    record = sealed(entity).encode().decode()
    assert [value for value in ("query-value", "bare-value", "header-value") if value in record] == []
    assert "https://api.example.com/x?key=[hidden]&[hidden]" in record


def test_values_cannot_be_moved_to_another_entity():
    moved = sealed(call(headers={"X-A": "b"})).model_copy(update={"id": "c2"})
    with pytest.raises(SealError):
        sent_values(RING, moved)


def test_an_entity_of_an_earlier_release_is_sent_as_it_is():
    entity = call(url="https://api.example.com/x?a=1", headers={"X-A": "b"}, params={"c": 1})
    assert sent_values(RING, entity)[:3] == (entity.url, {"X-A": "b"}, {"c": 1})
    assert sealed(call()).sealed is None


def test_only_values_that_tell_something_are_looked_for_in_answers():
    entity = call(
        url="https://a.example/?lang=de&token=t%2Fk4", headers={"Accept": "text/csv", "X-Id": "0123456789abc"}
    )
    assert set(sent_values(RING, entity).secrets) == {"t%2Fk4", "t/k4", "0123456789abc"}


def test_values_are_looked_for_wherever_they_stand_and_however_an_answer_writes_them():
    found = sent_values(RING, call(
        headers={"X-Api-Key": "Token s3cret+key"}, params={"login": {"password": ['pä"ss']}, "note": "123456789 abcdef"},
    )).secrets  # fmt: skip
    assert {
        "Token s3cret+key",
        "s3cret+key",
        "s3cret%2Bkey",
        'pä"ss',
        'pä\\"ss',
        "p%C3%A4%22ss",
        'p\\u00e4\\"ss',
    } < set(found)
    assert {"123456789+abcdef", "123456789%20abcdef"} < set(found)
    assert "abcdef" not in found
    assert list(found) == sorted(found, key=lambda text: (-len(text), text))


@pytest.mark.parametrize(
    "lost", [{"headers": {"X-A": HIDDEN}}, {"params": {"a": HIDDEN}}, {"url": f"https://api.example.com/x?a={HIDDEN}"}]
)
def test_what_an_earlier_releases_registry_has_lost_is_not_sent(lost):
    with pytest.raises(SealError):
        sent_values(RING, call(**lost))


def test_so_many_values_are_looked_for_and_credentials_first():
    params = {f"p{number}": f'{number:06d}"abcdef' for number in range(5000)}
    found = sent_values(RING, call(headers={"X-Api-Key": "k3y1"}, params={"token": "t0ken"} | params)).secrets
    assert len(found) == MOST_LOOKED_FOR
    assert {"k3y1", "t0ken"} < set(found)
