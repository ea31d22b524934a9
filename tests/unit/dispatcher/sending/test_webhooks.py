"""Requests to endpoints and inline URLs, and what their answers mean."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from contracts.registry import HIDDEN, Bot
from dispatcher.errors import NoRequest, NotYetKnown
from dispatcher.kinds import webhook
from dispatcher.model.catalogue import Catalogue
from dispatcher.requests import FINDING_SECONDS, Request
from dispatcher.sending import attempt_log, webhooks
from dispatcher.sending.rendering import render
from support.deliveries import (
    AT,
    AT_SECONDS,
    BOT,
    DELIVERY_ID,
    ENDPOINT,
    KEYS,
    PROJECT,
    TRACEPARENT,
    Registry,
    action_delivery,
    catalogue_of,
    channel,
    endpoint,
    event_delivery,
    project,
    sealed_values_of,
    step_webhook,
    webhook_secret,
)

EVENT = {
    "type": "tag.added",
    "timestamp": AT,
    "data": {"bot": {"id": BOT}, "channel": {"id": "channel-1", "type": "telegram"}, "tag": "vip"},
}


def to_endpoint(*, event: dict[str, Any] = EVENT, hops: int = 0, now: float | None = None, **fields: Any) -> Request:
    entities = (
        endpoint(**fields),
        Bot(id=BOT, project_id=PROJECT, name="Conference"),
        channel(external_id="104117782", url="https://t.me/conference_bot"),
    )
    delivery = event_delivery(event, hops=hops, traceparent=TRACEPARENT)
    return webhooks.event_request(delivery, catalogue_of(*entities), render, now or time.time())


def test_our_own_format_is_the_record_itself_signed_to_the_standard() -> None:
    request = to_endpoint()
    assert request.body == orjson.dumps(EVENT)
    assert request.shown_body is None  # The payload is stored already.
    assert Webhook(webhook_secret()).verify(request.body, request.headers) == EVENT
    assert request.headers["webhook-id"] == DELIVERY_ID
    assert request.headers["traceparent"] == TRACEPARENT


def test_during_a_rotation_both_secrets_sign() -> None:
    request = to_endpoint(secrets=(webhook_secret(2), webhook_secret(1)))
    for seed in (1, 2):
        Webhook(webhook_secret(seed)).verify(request.body or b"", request.headers)


def test_each_attempt_has_its_own_time_and_the_same_id() -> None:
    first, second = to_endpoint(now=AT_SECONDS), to_endpoint(now=AT_SECONDS + 300)
    assert first.headers["webhook-timestamp"] == str(AT_SECONDS)
    assert second.headers["webhook-timestamp"] == str(AT_SECONDS + 300)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_hops_are_counted_on() -> None:
    assert to_endpoint(hops=2).headers["switchhook-hops"] == "3"


def test_an_endpoints_headers_are_sent_hidden_and_never_in_place_of_ours() -> None:
    request = to_endpoint(headers={"X-Auth-Token": "abc123", "X-Team": "crm", "webhook-id": "mine"})
    assert (request.headers["X-Auth-Token"], request.headers["webhook-id"]) == ("abc123", DELIVERY_ID)
    assert (request.shown_headers["X-Auth-Token"], request.shown_headers["X-Team"]) == (HIDDEN, "crm")
    assert "webhook-signature" in request.shown_headers


def test_sealed_values_are_sent_and_nowhere_shown() -> None:
    written = endpoint(
        url="https://crm.example.com/hook?code=code-of-the-query", headers={"X-Team": "team-of-the-header"}
    )
    delivery = event_delivery(EVENT)
    request = webhooks.event_request(delivery, catalogue_of(sealed_values_of(written)), render, time.time())
    assert (request.url, request.headers["X-Team"]) == (written.url, "team-of-the-header")
    assert request.shown_url == "https://crm.example.com/hook?code=[hidden]"
    assert request.shown_headers["X-Team"] == HIDDEN
    assert set(request.secrets) == {"team-of-the-header", "code-of-the-query"}


def test_what_a_person_says_stays_a_text_in_a_json_template() -> None:
    event = EVENT | {"data": {"message": {"text": 'he said "hi", "admin": true'}}}
    template = '{"text": "{{ event.data.message.text }}", "all": {{ event.data.message }}}'
    body = orjson.loads(to_endpoint(event=event, format="template", template=template).body or b"")
    assert body == {"text": 'he said "hi", "admin": true', "all": event["data"]["message"]}


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, "application/json"),
        ({"format": "sendpulse"}, "application/json"),
        ({"format": "template", "template": '{"type": "{{ event.type }}"}'}, "application/json"),
        ({"format": "template", "template": "{{ event.data | json }}"}, "application/json"),
        ({"format": "template", "template": "{{ event.type }} happened"}, "text/plain; charset=utf-8"),
        ({"format": "template", "template": "[draft] {{ event.type }}"}, "text/plain; charset=utf-8"),
        ({"headers": {"Content-Type": "text/csv"}}, "application/json"),
        ({"format": "template", "template": "a=1", "headers": {"CONTENT-TYPE": "text/csv"}}, "text/csv"),
        ({"format": "template", "template": "{}", "headers": {"content-type": "text/csv"}}, "text/csv"),
    ],
)
def test_a_request_has_one_content_type_and_it_is_the_bodys(fields: dict[str, Any], sent: str) -> None:
    request = to_endpoint(**fields)
    for headers in (request.headers, request.shown_headers):
        assert [value for name, value in headers.items() if name.lower() == "content-type"] == [sent]


@pytest.mark.parametrize("path", ["/a/../b", "/%2e%2e/b", "/a/..;x=1/b"])
def test_a_path_that_leads_elsewhere_is_not_called(path: str) -> None:
    with pytest.raises(NoRequest) as refused:
        to_endpoint(url=f"https://crm.example.com{path}")
    assert refused.value.code == "bad-url"


def test_sendpulses_format_names_bot_and_channel_as_the_registry_knows_them() -> None:
    request = to_endpoint(format="sendpulse", title_map={"tag.added": "labelled"})
    shown = orjson.loads(request.body or b"")[0]
    assert shown["title"] == "labelled"
    assert shown["bot"] == {
        "url": "https://t.me/conference_bot",
        "external_id": 104117782,
        "id": BOT,
        "name": "Conference",
    }
    assert request.shown_body == request.body
    Webhook(webhook_secret()).verify(request.body or b"", request.headers)


def test_a_disabled_endpoint_discards_and_a_deleted_one_cancels() -> None:
    with pytest.raises(NoRequest) as refused:
        to_endpoint(state="disabled")
    assert (refused.value.outcome, refused.value.code) == ("discarded", "endpoint-disabled")
    registry = Registry()
    registry.gone.add(("endpoint", ENDPOINT))
    catalogue = Catalogue(registry, KEYS)
    with pytest.raises(NoRequest) as refused:
        webhooks.event_request(event_delivery(EVENT), catalogue, render, AT_SECONDS)
    assert (refused.value.outcome, refused.value.code) == ("cancelled", "endpoint-deleted")


def test_an_endpoint_that_was_never_seen_is_waited_for() -> None:
    with pytest.raises(NotYetKnown):
        webhooks.event_request(event_delivery(EVENT), catalogue_of(), render, AT_SECONDS)


def test_a_steps_webhook_is_signed_with_the_projects_secret() -> None:
    delivery = action_delivery(step_webhook())
    request = webhooks.step_request(delivery, catalogue_of(project()), render, time.time())
    assert request.url == "https://crm.example.com/step"
    body = Webhook(webhook_secret(9)).verify(request.body or b"", request.headers)
    assert body == {"type": "webhook.sent", "timestamp": AT, "data": {"title": "Reserved", "seats": 3}}


def test_a_steps_body_that_follows_from_its_action_is_kept_once_and_shown_as_it_was_sent() -> None:
    delivery = action_delivery(step_webhook())
    request = webhooks.step_request(delivery, catalogue_of(project()), render, AT_SECONDS)
    kept = attempt_log.kept_request(request)
    assert request.body
    assert b"Reserved" not in kept
    shown = attempt_log.shown_request(kept, partial(webhook.KIND.body_of, delivery.payload))
    assert shown["body"] == request.body.decode()


def test_a_steps_body_that_shows_more_than_its_action_is_kept() -> None:
    request = webhooks.step_request(
        action_delivery(step_webhook(format="sendpulse")), catalogue_of(project()), render, AT_SECONDS
    )
    assert request.shown_body == request.body


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_success(status: int) -> None:
    reading = webhooks.read(status, {}, 0)
    assert (reading.verdict, reading.destination_failed) == ("succeeded", False)


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [
        (410, "exhausted", "gone"),
        (301, "retry", "redirect"),
        (307, "retry", "redirect"),
        (304, "retry", "redirect"),
        (400, "retry", "http-400"),
        (404, "retry", "http-404"),
        (500, "retry", "http-500"),
    ],
)
def test_nothing_else_is(status: int, verdict: str, code: str) -> None:
    reading = webhooks.read(status, {"location": "https://elsewhere.example.com/"}, 0)
    assert (reading.verdict, reading.code, reading.destination_failed) == (verdict, code, True)


def test_a_receiver_that_is_gone_is_left_alone_at_once() -> None:
    reading = webhooks.read(410, {}, 0)
    assert (reading.pause, reading.pause_reason) == (FINDING_SECONDS, "gone")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Sat, 21 Nov 2026 00:01:30 GMT", 90),
        ("Fri, 20 Nov 2026 00:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("9" * 400, 999_999_999),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert webhooks.retry_after({"Retry-After": text}, AT_SECONDS) == seconds
    assert webhooks.read(503, {"retry-after": text}, AT_SECONDS).retry_after == seconds


@pytest.mark.parametrize(("status", "paused"), [(429, True), (502, True), (503, True), (504, True), (500, False)])
def test_an_overloaded_endpoint_is_left_alone_as_a_whole_for_an_hour_at_most(status: int, paused: bool) -> None:
    assert webhooks.read(status, {"retry-after": "30"}, 0).pause == (30 if paused else None)
    assert webhooks.read(status, {"retry-after": "86400"}, 0).pause == (3600 if paused else None)
    assert webhooks.read(status, {}, 0).pause is None
