"""Named API calls: parameters in the query on GET, in a JSON body on POST; the answer is JSON of at most 64 KiB."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode, urlsplit, urlunsplit

import orjson

from contracts.actions import ActionBase, AskModel, CallApi
from contracts.registry import HIDDEN, ApiCall
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import Delivery, Limits, SendContext
from dispatcher.model.retry_schedule import Schedule
from dispatcher.requests import Reading, Request, checked_headers, checked_url, merged, shown_headers
from servicekit.web.problems import ProblemError
from servicekit.web.requests import parse_json

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer; the HTTP client reads no more."""
CALL_SECONDS = 30.0
"""The whole life of what somebody waits for."""
SCHEDULE = Schedule((0.5, 1, 2, 4, 8), repeat_last=True)
_LIMITS = Limits(32)
USUAL_HEADERS = {"Accept": "application/json", "User-Agent": "Switchhook/1"}
_HIDDEN_ENCODED = quote_plus(HIDDEN)
NOBODY_WAITS = "Whoever asked for it no longer waits."
"""Why a finished call is not made again."""


def expires(action: ActionBase, now: datetime) -> datetime:
    """When a call is given up. Its time begins when it is taken over: after an outage old calls come with old times."""
    return now + timedelta(seconds=CALL_SECONDS)


def limits(target: str, catalogue: Catalogue) -> Limits:
    """How many calls of one target are made at once."""
    return _LIMITS


def own_delays(delivery: Delivery, context: SendContext) -> tuple[int, ...] | None:
    """A test is made once: who tests a call wants to see what the first attempt came to."""
    action: CallApi | AskModel = delivery.content()
    return () if action.reply_to is not None else None


def request(delivery: Delivery, catalogue: Catalogue) -> Request:
    """The request as configured, with an Idempotency-Key, its authorisation filled in last. Raises NoRequest."""
    action: CallApi = delivery.content()
    call = catalogue.api_call(action.api_call_id, delivery.project_id)
    values = catalogue.sent_values(call)
    usual, own = USUAL_HEADERS, own_headers(delivery)
    if call.method == "POST":
        own["Content-Type"] = "application/json"
    url, body = _target(call.method, values.url, {**values.params, **action.params})
    shown_url, shown_body = _target(call.method, call.url, {**call.params, **action.params})
    shown = shown_headers(merged(usual, call.headers, own))
    return authorised(call, Request(
        call.method, checked_url(url), merged(usual, checked_headers(values.headers), own), body, float(call.timeout_seconds), shown_url, shown,
        shown_body or b"", secrets=values.secrets,
    ), catalogue)  # fmt: skip


def own_headers(delivery: Delivery) -> dict[str, str]:
    """What no configuration sets: every attempt has the same Idempotency-Key."""
    own = {"Idempotency-Key": delivery.id, "Switchhook-Hops": str(delivery.hops + 1)}
    return own | ({"traceparent": delivery.traceparent} if delivery.traceparent else {})


def _target(method: str, url: str, params: dict[str, Any]) -> tuple[str, bytes | None]:
    """URL and body with the parameters where they belong."""
    return (with_query(url, params), None) if method == "GET" else (url, orjson.dumps(params))


def with_query(url: str, params: dict[str, Any]) -> str:
    """The URL with the parameters behind its own query; lists repeat their name, objects are JSON, null is left out."""
    added = pairs(params)
    if not added:
        return url
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(added).replace(_HIDDEN_ENCODED, HIDDEN))))
    return urlunsplit(parts._replace(query=query))


def pairs(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Parameters as a query or a form has them."""
    return [(name, _text(item)) for name, value in params.items() for item in _items(value)]


def read(idempotent: bool, status: int, body: bytes, truncated: bool) -> Reading:
    """What an API's answer means; only 2xx with JSON is one. Server errors may be tried again where that does no harm."""
    if not 200 <= status < 300:
        broken = status >= 500 or status in (408, 429)
        verdict: Literal["retry", "exhausted"] = "retry" if broken and idempotent else "exhausted"
        reading = Reading(verdict, f"http-{status}", f"The API answered {status}.", destination_failed=status >= 500)
        reading.answer = _json(body)[0]
        return reading
    if truncated:
        return Reading("exhausted", "too-large", f"The API's answer is longer than {ANSWER_LIMIT} bytes.")
    answer, fault = _json(body)
    if answer is None:
        return Reading("exhausted", fault, _FAULTS.get(fault, "The API's answer has too much in it."))
    return Reading("succeeded", answer=answer)


NOT_JSON = "not-json"
_FAULTS = {NOT_JSON: "The API's answer is not JSON.", "json-too-deep": "The API's answer is nested too deep."}


def _json(body: bytes) -> tuple[Any, str]:
    """An answer that can be passed on, or None and what is wrong with it. The JSON `null` is no usable answer either."""
    try:
        return parse_json(body), NOT_JSON
    except ProblemError as problem:
        return None, problem.type_slug


def authorised(call: ApiCall, request: Request, catalogue: Catalogue) -> Request:
    """The request with its Authorization, which is nowhere shown. Raises NoRequest."""
    if call.auth_secret is None:
        return request
    value = catalogue.secret(call.project_id, call.auth_secret, request.url)
    headers = checked_headers({**request.headers, "Authorization": value})
    shown = {**request.shown_headers, "Authorization": HIDDEN}
    return Request(
        request.method, request.url, headers, request.body, request.timeout, request.shown_url, shown,
        request.shown_body, secrets=(*secret_forms(value), *request.secrets),
    )  # fmt: skip


def secret_forms(value: str) -> tuple[str, str]:
    """What is looked for in an answer: the whole value, and what stands behind the word before it (`Bearer`)."""
    return value, value.partition(" ")[2] or value


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else str(value)
