"""Requests that flows describe themselves: made as they say, with the secrets that they name put in last."""

from __future__ import annotations

from urllib.parse import urlencode

import orjson

from contracts.actions import HttpRequest
from contracts.registry import HIDDEN
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import Delivery
from dispatcher.requests import Reading, Request, checked_headers, checked_url, merged, shown_headers
from dispatcher.sending import api_calls

CONTENT_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


def request(delivery: Delivery, catalogue: Catalogue) -> Request:
    """The request that the step asks for, with an Idempotency-Key. Raises NoRequest."""
    action: HttpRequest = delivery.content()
    catalogue.require_bot(action.bot_id, delivery.project_id)
    url = checked_url(api_calls.with_query(action.url, action.query))
    usual = api_calls.USUAL_HEADERS | ({"Content-Type": CONTENT_TYPES[action.encoding]} if action.encoding else {})
    headers = merged(usual, checked_headers(action.headers), api_calls.own_headers(delivery))
    body = _body(action)
    values = {name: catalogue.secret(delivery.project_id, secret, url) for name, secret in action.secrets.items()}
    return Request(
        action.method, url, merged(headers, checked_headers(values)), body, float(action.timeout_seconds), url,
        merged(shown_headers(headers), dict.fromkeys(values, HIDDEN)), body or b"",
        secrets=tuple(form for value in values.values() for form in api_calls.secret_forms(value)),
    )  # fmt: skip


def _body(action: HttpRequest) -> bytes | None:
    if action.encoding is None:
        return None
    return urlencode(api_calls.pairs(action.body)).encode() if action.encoding == "form" else orjson.dumps(action.body)


def read(action: HttpRequest, status: int, body: bytes, truncated: bool) -> Reading:
    """What an answer means: any 2xx is one where nothing of it is kept, else it is JSON."""
    if 200 <= status < 300 and not action.answer:
        return Reading("succeeded")
    return api_calls.read(action.idempotent, status, body, truncated)
