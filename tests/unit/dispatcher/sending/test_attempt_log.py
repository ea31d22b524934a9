"""What the log keeps of a request and of its answer."""

from __future__ import annotations

import orjson
import pytest
from multidict import CIMultiDict

from dispatcher.requests import BODY_LIMIT, Request
from dispatcher.sending import attempt_log
from servicekit.http_client.guarded_http import Answer

PAYLOAD = b'{"type": "tag.added"}'


def request(shown_body: bytes | None, **more: object) -> Request:
    return Request(
        "POST", "https://e.com/s3cret", {}, b"x", 1.0, "https://e.com/[hidden]", {"a": "b"}, shown_body, **more
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"", b"payload", b"null", b'{"a": 1}'])
def test_a_body_of_its_own_is_shown_as_it_was_sent(body: bytes) -> None:
    shown = attempt_log.shown_request(attempt_log.kept_request(request(body)), lambda: PAYLOAD)
    assert shown == {"method": "POST", "url": "https://e.com/[hidden]", "headers": {"a": "b"}, "body": body.decode()}


def test_a_body_that_follows_from_the_deliverys_payload_is_kept_once_and_shown() -> None:
    kept = attempt_log.kept_request(request(None))
    assert PAYLOAD not in kept
    assert attempt_log.shown_request(kept, lambda: PAYLOAD)["body"] == PAYLOAD.decode()


@pytest.mark.parametrize(("stored", "shown"), [("payload", PAYLOAD.decode()), ('{"a": 1}', '{"a": 1}'), ("", "")])
def test_a_row_of_an_earlier_release_is_read_as_it_was_meant(stored: str, shown: str) -> None:
    kept = orjson.dumps({"method": "POST", "url": "https://e.com/", "headers": {}, "body": stored})
    assert attempt_log.shown_request(kept, lambda: PAYLOAD) == {
        "method": "POST", "url": "https://e.com/", "headers": {}, "body": shown,
    }  # fmt: skip


def test_where_no_request_was_made_none_is_shown() -> None:
    assert attempt_log.shown_request(b"{}", lambda: PAYLOAD) == {}


def test_bodies_are_cut() -> None:
    long = b"x" * (BODY_LIMIT + 1)
    assert len(orjson.loads(attempt_log.kept_request(request(long)))["body"]) == BODY_LIMIT


def test_a_secret_that_the_receiver_sends_back_is_not_kept() -> None:
    answer = Answer(200, CIMultiDict({"location": "/s3cret", "x-other": "1"}), b"you sent s3cret", 3)
    kept = attempt_log.kept_answer(request(None, secrets=("s3cret",)), answer)
    assert orjson.loads(kept or b"") == {
        "status": 200, "headers": {"location": "/[hidden]"}, "body": "you sent [hidden]",
    }  # fmt: skip
    assert attempt_log.kept_answer(request(None), None) is None


def test_no_part_of_a_secret_is_kept_where_an_answer_is_cut() -> None:
    answer = Answer(200, CIMultiDict({}), b"x" * (BODY_LIMIT - 3) + b"s3cret", 3)
    kept = orjson.loads(attempt_log.kept_answer(request(None, secrets=("s3cret",)), answer) or b"")
    assert kept["body"] == "x" * (BODY_LIMIT - 3) + "[hi"
