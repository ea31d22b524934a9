"""Requests that flows describe: made as they say, secrets put in last and shown nowhere, and what the answer means."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from contracts.registry import HIDDEN
from dispatcher.errors import NoRequest
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.requests import Request
from dispatcher.sending import http_requests
from support.deliveries import DELIVERY_ID, PROJECT, action_delivery, catalogue_of, http_request, secret

KIND = DELIVERY_KINDS["http_request"]


def requested(*entities: Any, **fields: Any) -> Request:
    return http_requests.request(action_delivery(http_request(**fields), hops=3), catalogue_of(*entities))


def test_it_is_made_as_the_flow_says() -> None:
    query = {"q": "ä b", "both": [1, 2], "none": None}
    request = requested(
        method="PUT", url="https://api.example.com/m?v=2", query=query, headers={"X-Team": "events"}, timeout_seconds=7
    )
    assert (request.method, request.timeout) == ("PUT", 7.0)
    assert request.url == request.shown_url == "https://api.example.com/m?v=2&q=%C3%A4+b&both=1&both=2"
    assert request.body is None
    assert {
        "X-Team": "events",
        "Idempotency-Key": DELIVERY_ID,
        "Switchhook-Hops": "4",
    }.items() <= request.headers.items()
    assert "Content-Type" not in request.headers


@pytest.mark.parametrize(
    ("encoding", "body", "sent", "type"),
    [
        ("json", {"a": ["b"]}, b'{"a":["b"]}', "application/json"),
        ("json", "text", b'"text"', "application/json"),
        ("form", {"a": "b&c", "n": 1, "l": ["x", "y"]}, b"a=b%26c&n=1&l=x&l=y", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_is_json_or_a_form(encoding: str, body: Any, sent: bytes, type: str) -> None:
    request = requested(method="POST", encoding=encoding, body=body)
    assert (request.body, request.shown_body, request.headers["Content-Type"]) == (sent, sent, type)
    own = requested(method="POST", encoding=encoding, body=body, headers={"content-type": "application/vnd.api+json"})
    assert [value for name, value in own.headers.items() if name.lower() == "content-type"] == [
        "application/vnd.api+json"
    ]


def test_secrets_are_sent_and_shown_nowhere() -> None:
    secrets = {"Authorization": "crm", "X-Shop": "shop"}
    request = requested(secret("crm", "Bearer k3y-of-crm"), secret("shop", "k3y-of-shop"), secrets=secrets)
    assert (request.headers["Authorization"], request.headers["X-Shop"]) == ("Bearer k3y-of-crm", "k3y-of-shop")
    assert (request.shown_headers["Authorization"], request.shown_headers["X-Shop"]) == (HIDDEN, HIDDEN)
    assert {"Bearer k3y-of-crm", "k3y-of-crm", "k3y-of-shop"} <= set(request.secrets)


@pytest.mark.parametrize(
    ("entities", "fields", "code"),
    [
        ((), {"secrets": {"Authorization": "crm"}}, "no-secret"),
        ((secret("crm", "k").model_copy(update={"project_id": "project-2"}),), {"secrets": {"Authorization": "crm"}}, "no-secret"),
        ((secret("crm", "k").model_copy(update={"hosts": ("https://other.example.com",)}),), {"secrets": {"Authorization": "crm"}}, "secret-elsewhere"),
        ((secret("crm", "k\r\nX-Evil: 1"),), {"secrets": {"Authorization": "crm"}}, "bad-header"),
        ((), {"headers": {"X-A": "a\r\nX-Evil: 1"}}, "bad-header"),
        ((), {"url": "https://api.example.com/a/%2e%2e/b"}, "bad-url"),
    ],
)  # fmt: skip
def test_what_may_not_be_sent_is_not(entities: Any, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(NoRequest) as refused:
        requested(*entities, **fields)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("fields", "status", "body", "verdict", "code"),
    [
        ({"answer": True}, 200, b'{"a": 1}', "succeeded", None),
        ({"answer": True}, 200, b"ok", "exhausted", "not-json"),
        ({"answer": True}, 204, b"", "exhausted", "not-json"),
        ({"answer": False}, 204, b"", "succeeded", None),
        ({"answer": False}, 200, b"ok", "succeeded", None),
        ({"answer": False}, 302, b"", "exhausted", "http-302"),
        ({"answer": True}, 404, b"{}", "exhausted", "http-404"),
        ({"answer": True}, 503, b"", "exhausted", "http-503"),
        ({"answer": True, "idempotent": True}, 503, b"", "retry", "http-503"),
        ({"answer": True, "idempotent": True}, 400, b"", "exhausted", "http-400"),
    ],
)
def test_what_an_answer_means(fields: dict[str, Any], status: int, body: bytes, verdict: str, code: str | None) -> None:
    reading = http_requests.read(http_request(**fields), status, body, truncated=False)
    assert (reading.verdict, reading.code) == (verdict, code)
    assert reading.answer == (orjson.loads(body) if verdict == "succeeded" and fields["answer"] else reading.answer)


def test_an_answer_that_is_too_long_is_none() -> None:
    assert http_requests.read(http_request(answer=True), 200, b"{", truncated=True).code == "too-large"


def test_each_project_has_a_host_for_itself_and_webhooks_are_apart() -> None:
    request = http_request(url="https://API.example.com/x")
    assert (KIND.prefix, KIND.target(request)) == ("request", f"{PROJECT}/api.example.com:443")
    assert DELIVERY_KINDS["webhook"].prefix != KIND.prefix
