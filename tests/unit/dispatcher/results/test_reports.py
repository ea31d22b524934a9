"""What the engine, waiting callers and subscribers hear of a result."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from contracts.actions import CallApi, PostWebhook, SendMessage
from contracts.cloudevents import header
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import Result
from dispatcher.results import failing_destinations, reports
from dispatcher.results.failing_destinations import FINDINGS
from servicekit.kafka.records import Outgoing
from support.deliveries_in_memory import DeliveriesInMemory
from support.leased import CONVERSATION, attempted, delivery

NOW = "2026-11-21T00:01:00.000Z"
BASE = {
    "id": "a1",
    "project_id": "project-1",
    "bot_id": "bot-1",
    "conversation": CONVERSATION,
    "day": "2026-11-21",
    "created_at": NOW,
}


def of_message(outcome: str, **more: Any) -> Result:
    action = SendMessage(
        **BASE, channel_id="tg-1", channel_type="telegram", peer_id="77", seq=3, content={"text": "hi"}, expires_at=NOW
    )
    return attempted(delivery(kind="message", destination="channel:tg-1", parsed=action), outcome, **more)


def of_call(outcome: str, reply_to: Any = None, **more: Any) -> Result:
    to = {"channel_id": "tg-1", "peer_id": "77", "reply_to": reply_to}
    action = CallApi(**BASE, api_call_id="api-1", wait="w1", response="raw", **to)
    return attempted(delivery(kind="call", destination="api:api-1", parsed=action), outcome, **more)


def of_step(outcome: str, **more: Any) -> Result:
    action = PostWebhook(**BASE, url="https://e.com", title="T", timestamp=NOW, data={"node": "n1"})
    return attempted(delivery(kind="webhook", destination="host:e.com:443", parsed=action, hops=2), outcome, **more)


def of_event(outcome: str, type: str = "tag.added", **more: Any) -> Result:
    return attempted(delivery(event_type=type), outcome, **more)


def made(result: Result) -> dict[str, dict[str, Any]]:
    """CloudEvents type -> body."""
    records = reports.of(result, NOW)
    return {
        (header(each.headers, "ce_type") or "").removeprefix("dev.switchhook."): orjson.loads(each.value or b"")
        for each in records
    }


def test_the_engine_hears_of_a_sent_message() -> None:
    body = made(of_message("succeeded", provider_message_id="9"))["inbound.message_result"]
    assert (body["outcome"], body["seq"], body["provider_message_id"], body["peer_id"]) == ("sent", 3, "9", "77")


def test_the_engine_hears_of_a_failed_message_and_of_who_cannot_be_reached() -> None:
    body = made(
        of_message("exhausted", code="blocked", detail="blocked by the user", status=403, unreachable="blocked")
    )["inbound.message_result"]
    assert (body["outcome"], body["unreachable"]) == ("failed", "blocked")
    assert body["error"] == {"type": "blocked", "detail": "blocked by the user", "status": 403}


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        ("succeeded", None, "ok"),
        ("exhausted", "http-500", "error"),
        ("exhausted", "timeout", "timeout"),
        ("exhausted", "expired", "timeout"),
    ],
)
def test_a_calls_result_ends_its_wait(outcome: str, code: str | None, said: str) -> None:
    body = made(of_call(outcome, code=code, answer={"a": 1}))["inbound.call_result"]
    assert (body["wait"], body["outcome"], body["body"], body["response"]) == ("w1", said, {"a": 1}, "raw")


def test_a_calls_result_has_one_id_however_often_it_is_told() -> None:
    result = of_call("succeeded")
    ids = {header(reports.of(result, now)[0].headers, "ce_id") for now in (NOW, "2026-11-22T00:00:00.000Z")}
    assert len(ids) == 1


def test_a_test_calls_answer_goes_to_who_asked_and_to_nobody_else() -> None:
    reply_to = {"instance": "r1", "partition": 4, "request_id": "q"}
    [record] = reports.of(of_call("exhausted", reply_to, code="http-500", detail="The API answered 500."), NOW)
    assert isinstance(record, Outgoing)
    assert (record.partition, record.topic) == (4, "switchhook.replies.v1")
    assert orjson.loads(record.value or b"")["problems"] == ["The API answered 500."]


def test_nothing_is_told_of_what_goes_on() -> None:
    for result in (of_message("retry"), of_call("retry"), of_step("retry"), of_event("deferred")):
        assert reports.of(result, NOW) == []


def test_a_steps_success_is_webhook_sent_one_hop_further() -> None:
    [record] = reports.of(of_step("succeeded"), NOW)
    body = orjson.loads(record.value or b"")
    assert (body["type"], body["data"]["title"], body["data"]["node"]) == ("webhook.sent", "T", "n1")
    assert header(record.headers, "swh-hops") == "3"
    assert record.key == CONVERSATION.encode()


def test_a_receivers_2xx_is_told_to_the_engine_with_the_contact() -> None:
    step = of_step("succeeded")
    step.delivery.parsed = step.delivery.parsed.model_copy(update={"contact_id": "c-1", "tells_engine": True})
    _, told = reports.of(step, NOW)
    body = orjson.loads(told.value or b"")
    assert (told.key, body["kind"], body["contact_id"], body["title"]) == (
        b"bot-1/-/c-1",
        "webhook_received",
        "c-1",
        "T",
    )
    assert body["conversation"] == CONVERSATION


def test_a_step_that_is_given_up_is_told_to_the_engine_in_its_conversation() -> None:
    step = of_step("exhausted", code="http-500", detail="The receiver answered 500.", status=500)
    step.delivery.parsed = step.delivery.parsed.model_copy(update={"contact_id": "c-1", "tells_engine": True})
    _, told = reports.of(step, NOW)
    body = orjson.loads(told.value or b"")
    assert (told.key, body["kind"], body["type"], body["hops"]) == (
        CONVERSATION.encode(), "event", "delivery.exhausted", 2,
    )  # fmt: skip
    assert (body["data"]["title"], body["data"]["error"]["status"]) == ("T", 500)


def test_an_engine_that_does_not_ask_for_it_is_not_told_of_a_2xx() -> None:
    step = of_step("succeeded")
    step.delivery.parsed = step.delivery.parsed.model_copy(update={"contact_id": "c-1"})
    assert set(made(step)) == {"webhook.sent"}


def test_a_steps_end_and_a_subscriptions_end_are_delivery_exhausted() -> None:
    assert set(made(of_step("exhausted", code="http-500"))) == {"delivery.exhausted"}
    body = made(of_event("exhausted", code="http-500", status=500))["delivery.exhausted"]
    assert (body["data"]["endpoint"], body["data"]["error"]["status"]) == ({"id": "e1"}, 500)


@pytest.mark.parametrize("type", ["webhook.sent", "delivery.exhausted", "endpoint.failing", "endpoint.disabled"])
def test_an_event_about_a_delivery_makes_no_other(type: str) -> None:
    assert made(of_event("exhausted", type, code="http-500")) == {}


async def told(*results: Result, store: DeliveriesInMemory | None = None) -> list[str]:
    """The types of what is told of their destinations."""
    async with (store or DeliveriesInMemory(DELIVERY_KINDS)).session() as session:
        return [(header(each.headers, "ce_type") or "").removeprefix("dev.switchhook.") + f" on {each.topic}"
                for each in await failing_destinations.note(session, results, set(), NOW)]  # fmt: skip


GONE: dict[str, Any] = {"code": "gone", "pause": 600, "pause_reason": "gone", "destination_failed": True}
REFUSED: dict[str, Any] = {"code": "unauthorized", "pause": 600, "pause_reason": "unauthorized"}
DISABLED = ["endpoint.disabled on switchhook.events.v1", "endpoint.disabled on switchhook.findings.v1"]
PAUSED = ["channel.paused on switchhook.events.v1", "channel.paused on switchhook.findings.v1"]


async def test_an_endpoint_that_is_gone_is_told_as_disabled_once() -> None:
    """Seen: three requests that were on their way made three events."""
    store = DeliveriesInMemory(DELIVERY_KINDS)
    first, second, third = (of_event("exhausted", **GONE) for _ in range(3))
    assert await told(first, second, store=store) == DISABLED
    assert await told(third, store=store) == []
    async with store.session() as session:
        await session.resume([first.delivery.destination], FINDINGS)
    assert await told(third, store=store) == DISABLED, "it was enabled meanwhile, and is gone again"


async def test_the_circuit_of_an_endpoint_is_told_to_the_registry_alone() -> None:
    failed: dict[str, Any] = {"code": "http-503", "detail": "The receiver answered 503.", "destination_failed": True}
    opened = of_event("retry", **failed, circuit=5.0)
    assert await told(of_event("retry", **failed), opened) == ["endpoint.circuit on switchhook.findings.v1"]
    assert await told(of_step("succeeded", circuit=0.0)) == []
    data = [orjson.loads(reports.endpoint_circuit(each, NOW).value or b"")["data"] for each in (
        opened, of_event("succeeded", circuit=0.0)
    )]  # fmt: skip
    assert data == [
        {"endpoint": {"id": "e1"}, "circuit": {
            "next_try": "2026-11-21T00:01:05.000Z", "reason": "The receiver answered 503."}},
        {"endpoint": {"id": "e1"}, "circuit": {}},
    ]  # fmt: skip


@pytest.mark.parametrize("outcome", ["exhausted", "retry"])
async def test_a_refused_token_is_told_as_a_paused_channel_once(outcome: str) -> None:
    store = DeliveriesInMemory(DELIVERY_KINDS)
    assert await told(of_message(outcome, **REFUSED), of_message(outcome, **REFUSED), store=store) == PAUSED
    assert await told(of_message(outcome, **REFUSED), store=store) == []
    [record, _] = reports.channel_paused(of_message(outcome, **REFUSED), NOW)
    assert orjson.loads(record.value or b"")["data"]["channel"]["id"] == "tg-1"


def test_what_an_endpoint_does_not_take_is_told_once_an_hour_and_that_it_fails_once_a_day() -> None:
    def ids(*moments: str) -> tuple[int, int]:
        gave_up = {
            header(reports.of(of_event("exhausted", code="http-500"), now)[0].headers, "ce_id") for now in moments
        }
        failing = {header(reports.endpoint_failing(delivery(), now).headers, "ce_id") for now in moments}
        return len(gave_up), len(failing)

    assert ids(NOW, "2026-11-21T00:59:59.000Z") == (1, 1)
    assert ids(NOW, "2026-11-21T01:00:00.000Z") == (2, 1)
    assert ids(NOW, "2026-11-22T00:01:00.000Z") == (2, 2)
