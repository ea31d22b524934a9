import pytest

from ingress.doors.url_content import content_of, options_of
from servicekit.web.problems import ProblemError

JSON, FORM = "application/json", "application/x-www-form-urlencoded; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "media_type", "query", "value", "raw"),
    [
        (b'{"a": [1]}', JSON, "q=1", {"a": [1]}, '{"a": [1]}'),
        (b'{"a": 1}', None, "", {"a": 1}, '{"a": 1}'),
        (b'{"a": 1}', "text/plain", "", {"a": 1}, '{"a": 1}'),
        (b"a=1&b=&a=2", FORM, "q=1", {"a": ["1", "2"], "b": ""}, "a=1&b=&a=2"),
        (b"hello", "text/plain", "q=1", "hello", "hello"),
        (b"{broken", JSON, "", "{broken", "{broken"),
        (b"", FORM, "order=%D1%8F&x", {"order": "я", "x": ""}, "order=%D1%8F&x"),
        (b"", None, "", "own", "own"),
        (b"\xff", None, "", "\ufffd", "\ufffd"),
    ],
)
def test_content_is_the_body_else_the_query_else_the_urls_own(body, media_type, query, value, raw):
    assert content_of(body, media_type, query, "own") == (value, raw)


def test_json_that_is_nested_beyond_reason_is_refused_rather_than_taken_as_text():
    with pytest.raises(ProblemError, match="json-too-deep"):
        content_of(b"[" * 80 + b"]" * 80, JSON, "", None)


def test_options_hold_the_request_without_credentials():
    head = {
        b"authorization": b"Bearer x",
        b"cookie": b"session=1",
        b"x-api-key": b"k",
        b"x-shop": b"7",
        b"x-proof": b"p",
    }
    options = options_of(
        url="https://host/v1/w/s?a=1", method="POST", query_text="a=1", head=head, ip="203.0.113.9",
        proof_headers={"x-proof"},
    )  # fmt: skip
    assert options == {
        "url": "https://host/v1/w/s?a=1",
        "method": "POST",
        "params": {"a": "1"},
        "headers": {"x-shop": "7"},
        "ip": "203.0.113.9",
    }
