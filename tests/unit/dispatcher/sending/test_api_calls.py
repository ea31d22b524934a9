"""Named API calls: the request as configured, and what the answer means."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from contracts.registry import HIDDEN
from dispatcher.errors import NoRequest
from dispatcher.requests import Request
from dispatcher.sending import api_calls
from support.deliveries import (
    DELIVERY_ID,
    TRACEPARENT,
    action_delivery,
    api_call,
    call,
    catalogue_of,
    sealed_values_of,
    secret,
)


def requested(call_entity: Any, *more: Any, hops: int = 0, traceparent: str | None = None, **params: Any) -> Request:
    delivery = action_delivery(call(**params), hops=hops, traceparent=traceparent)
    return api_calls.request(delivery, catalogue_of(call_entity, *more))


def test_post_sends_parameters_as_json_and_the_steps_own_win() -> None:
    request = requested(api_call(params={"hall": 1, "day": "mon"}), hall=2, who=["a", "b"])
    assert (request.method, request.url) == ("POST", "https://api.example.com/seats")
    assert orjson.loads(request.body or b"") == {"hall": 2, "day": "mon", "who": ["a", "b"]}
    assert request.headers["Content-Type"] == "application/json"


def test_get_sends_parameters_in_the_query_behind_its_own() -> None:
    entity = api_call(method="GET", url="https://api.example.com/seats?v=2#top", params={"hall": "Größe & Co"})
    request = requested(entity, tags=["a", "b"], full=True, filter={"x": [1]}, nothing=None)
    assert request.url == (
        "https://api.example.com/seats?v=2&hall=Gr%C3%B6%C3%9Fe+%26+Co&tags=a&tags=b&full=true"
        "&filter=%7B%22x%22%3A%5B1%5D%7D#top"
    )
    assert request.body is None
    assert "Content-Type" not in request.headers
    assert requested(api_call(method="GET")).url == "https://api.example.com/seats"


def test_every_attempt_has_the_same_idempotency_key_and_one_hop_more() -> None:
    request = requested(api_call(), hops=3, traceparent=TRACEPARENT)
    assert request.headers["Idempotency-Key"] == DELIVERY_ID
    assert request.headers["Switchhook-Hops"] == "4"
    assert request.headers["traceparent"] == TRACEPARENT


def test_a_header_is_sent_once_however_it_is_written() -> None:
    entity = api_call(headers={"content-type": "text/csv", "ACCEPT": "text/csv", "user-agent": "shop"})
    for headers in (requested(entity).headers, requested(entity).shown_headers):
        named = {name.lower(): value for name, value in headers.items()}
        assert len(named) == len(headers)
        assert (named["content-type"], named["accept"], named["user-agent"]) == ("application/json", "text/csv", "shop")


def test_our_own_headers_are_not_the_configurations_to_set() -> None:
    entity = api_call(headers={"X-Team": "events", "Idempotency-Key": "mine"})
    request = requested(entity)
    assert (request.headers["X-Team"], request.headers["Idempotency-Key"]) == ("events", DELIVERY_ID)


def test_the_authorisation_is_sent_and_hidden() -> None:
    request = requested(api_call(auth_secret="key"), secret("key", "Bearer abc123"))
    assert request.headers["Authorization"] == "Bearer abc123"
    assert request.shown_headers["Authorization"] == HIDDEN
    assert "abc123" in request.secrets


def test_a_configured_header_that_is_a_credential_is_hidden() -> None:
    request = requested(api_call(headers={"X-Api-Key": "abc123", "X-Team": "events"}))
    assert request.headers["X-Api-Key"] == "abc123"
    assert (request.shown_headers["X-Api-Key"], request.shown_headers["X-Team"]) == (HIDDEN, "events")


def test_sealed_values_are_sent_and_nowhere_shown() -> None:
    written = api_call(
        method="GET", url="https://api.example.com/seats?key=k3y-in-the-query&v=2",
        headers={"X-Tenant": "tenant-of-the-header"}, params={"app_id": "id-of-the-params", "hall": "1"},
    )  # fmt: skip
    request = requested(sealed_values_of(written), hall="2")
    assert request.url == "https://api.example.com/seats?key=k3y-in-the-query&v=2&app_id=id-of-the-params&hall=2"
    assert request.headers["X-Tenant"] == "tenant-of-the-header"
    assert request.shown_url == "https://api.example.com/seats?key=[hidden]&v=[hidden]&app_id=[hidden]&hall=2"
    assert request.shown_headers["X-Tenant"] == HIDDEN
    assert {"k3y-in-the-query", "tenant-of-the-header", "id-of-the-params"} <= set(request.secrets)


def test_sealed_parameters_are_sent_in_the_body_and_hidden_in_the_log() -> None:
    request = requested(sealed_values_of(api_call(params={"app_id": "id-of-the-params", "hall": "1"})), hall="2")
    assert orjson.loads(request.body or b"") == {"app_id": "id-of-the-params", "hall": "2"}
    assert orjson.loads(request.shown_body or b"") == {"app_id": HIDDEN, "hall": "2"}


def test_a_value_may_refer_to_a_secret() -> None:
    written = api_call(
        method="GET", url="https://api.example.com/seats?key=secret.key&v=2",
        headers={"X-Api-Key": "secret.key"}, params={"app": "secret.app", "text": "no secret.key"},
    )  # fmt: skip
    request = requested(sealed_values_of(written), secret("key", "k/1"), secret("app", "a&b"), mine="secret.key")
    assert request.url == (
        "https://api.example.com/seats?key=k%2F1&v=2&app=a%26b&text=no+secret.key&mine=secret.key"
    )  # fmt: skip
    assert request.headers["X-Api-Key"] == "k/1"
    assert request.shown_url == (
        "https://api.example.com/seats?key=secret.key&v=[hidden]&app=secret.app&text=[hidden]&mine=secret.key"
    )
    assert (request.shown_headers["X-Api-Key"], {"k/1", "a&b"} <= set(request.secrets)) == (HIDDEN, True)
    with pytest.raises(NoRequest) as refused:
        requested(sealed_values_of(written), secret("key", "k"))
    assert refused.value.code == "no-secret"


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2E/b", "/a/..%2Fb", "/a/%252e%252e/b"])
def test_a_path_that_leads_elsewhere_is_not_called(path: str) -> None:
    with pytest.raises(NoRequest) as refused:
        requested(api_call(url=f"https://api.example.com{path}"))
    assert refused.value.code == "bad-url"


def test_a_secret_that_is_missing_ends_the_call() -> None:
    with pytest.raises(NoRequest) as refused:
        requested(api_call(auth_secret="key"))
    assert (refused.value.outcome, refused.value.code) == ("exhausted", "no-secret")


@pytest.mark.parametrize("value", ["a\r\nHost: evil", "a\nb", "a\x00"])
def test_a_value_that_would_break_the_framing_is_not_sent(value: str) -> None:
    for entity in (api_call(headers={"X-Team": value}), api_call(auth_secret="key")):
        with pytest.raises(NoRequest) as refused:
            requested(entity, secret("key", value))
        assert refused.value.code == "bad-header"


def test_json_in_2xx_is_an_answer() -> None:
    reading = api_calls.read(False, 200, b'{"seats": 3}', False)
    assert (reading.verdict, reading.answer) == ("succeeded", {"seats": 3})


@pytest.mark.parametrize(
    ("body", "truncated", "code"),
    [(b"", False, "not-json"), (b"<html>", False, "not-json"), (b"null", False, "not-json"), (b"[1", True, "too-large"),
     (b"[" * 300 + b"]" * 300, False, "json-too-deep")],
)  # fmt: skip
def test_2xx_without_usable_json_is_none(body: bytes, truncated: bool, code: str) -> None:
    reading = api_calls.read(True, 200, body, truncated)
    assert (reading.verdict, reading.code) == ("exhausted", code)


@pytest.mark.parametrize(
    ("status", "idempotent", "verdict", "destination_failed"),
    [
        (500, False, "exhausted", True),
        (500, True, "retry", True),
        (408, True, "retry", False),
        (429, True, "retry", False),
        (400, True, "exhausted", False),
        (302, True, "exhausted", False),
    ],
)
def test_only_an_idempotent_call_is_tried_again(
    status: int, idempotent: bool, verdict: str, destination_failed: bool
) -> None:
    reading = api_calls.read(idempotent, status, b'{"error": "x"}', False)
    assert (reading.verdict, reading.code, reading.destination_failed) == (
        verdict,
        f"http-{status}",
        destination_failed,
    )
    assert reading.answer == {"error": "x"}
