"""Subscriptions and steps on real Kafka and Postgres, against a real receiver."""

from __future__ import annotations

import orjson
import pytest
from standardwebhooks import Webhook

from dispatcher.model.keys import derived_key
from support.dispatcher import PROJECT, SIGNING_SECRET, RunningDispatcher, endpoint
from support.receiver import Receiver
from support.waiting import eventually

OLD_SECRET = "whsec_" + "dGhlIG9sZCBzZWNyZXQgb2YgdGhlIGVuZHBvaW50"


async def test_an_event_reaches_the_endpoints_that_chose_it_signed_by_each_secret(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    both = endpoint("e1", f"{sink.url}/both", "tag.added", secrets=(SIGNING_SECRET, OLD_SECRET))
    await dispatcher.registry.put(both, endpoint("e2", f"{sink.url}/other", "message.received"))
    await dispatcher.start()
    id = await dispatcher.event("tag.added", tag="vip")
    [request] = await eventually(lambda: sink.requests_to("/both"))
    for secret in (SIGNING_SECRET, OLD_SECRET):
        assert Webhook(secret).verify(request.body, request.headers)["data"] == {"tag": "vip"}
    assert request.headers["webhook-id"] == str(derived_key(id, "e1"))
    assert request.headers["content-type"] == "application/json"
    await eventually(lambda: _state(dispatcher, request.headers["webhook-id"], "succeeded"))
    assert sink.requests_to("/other") == []


async def test_a_refused_event_is_tried_again_under_its_own_id(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added", schedule_seconds=(1, 1, 1)))
    sink.fail_next("/x", 500, times=2)
    await dispatcher.start()
    await dispatcher.event("tag.added")
    requests = await eventually(lambda: len(sink.requests) == 3 and sink.requests)
    assert [request.status for request in requests] == [500, 500, 204]
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    for request in requests:
        Webhook(SIGNING_SECRET).verify(request.body, request.headers)
    rows = await eventually(lambda: dispatcher.pool.fetch("SELECT * FROM attempt WHERE outcome = 'succeeded'"))
    assert rows[0]["number"] == 3


async def test_a_step_posts_to_its_url_signed_by_the_project_and_webhook_sent_follows(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.start()
    id = await dispatcher.post(f"{sink.url}/step")
    [request] = await eventually(lambda: sink.requests_to("/step"))
    body = Webhook(SIGNING_SECRET).verify(request.body, request.headers)
    assert request.headers["webhook-id"] == id
    assert body["data"] == {"title": "Reserved", "contact": {"id": "c1"}}
    [sent] = await eventually(lambda: dispatcher.events("webhook.sent"))
    assert (sent["title"], sent["delivery"]) == ("Reserved", {"id": id})


async def test_a_step_in_sendpulses_format_is_an_array(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.start()
    await dispatcher.post(
        f"{sink.url}/step", format="sendpulse", data={"contact": {"id": "c1"}, "bot": {"id": "bot-1"}}
    )
    [request] = await eventually(lambda: sink.requests_to("/step"))
    [one] = request.json()
    assert (one["title"], one["info"], one["bot"]["name"], one["contact"]["id"]) == (
        "Reserved",
        None,
        "Conference",
        "c1",
    )


async def test_gone_disables_at_once_and_what_comes_later_is_kept_as_discarded(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    dead = endpoint("e1", f"{sink.url}/gone", "tag.added")
    await dispatcher.registry.put(dead)
    sink.answer("/gone", 410)
    await dispatcher.start()
    await dispatcher.event("tag.added")
    [event] = await eventually(lambda: dispatcher.events("endpoint.disabled"))
    assert event["endpoint"]["id"] == "e1"
    [for_the_registry] = await eventually(lambda: dispatcher.bodies("findings"))
    assert (for_the_registry["type"], for_the_registry["data"]) == ("endpoint.disabled", event)
    await dispatcher.registry.put(dead.model_copy(update={"state": "disabled"}))
    later = await dispatcher.event("tag.added")
    await eventually(lambda: _state(dispatcher, str(derived_key(later, "e1")), "discarded"))
    assert len(sink.requests) == 1


async def test_an_endpoint_that_is_enabled_again_gets_events_at_once(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    one = endpoint("e1", f"{sink.url}/x", "tag.added")
    await dispatcher.registry.put(one)
    sink.fail_next("/x", 410)
    await dispatcher.start()
    await dispatcher.event("tag.added")
    await eventually(lambda: dispatcher.events("endpoint.disabled"))
    await dispatcher.registry.put(one.model_copy(update={"state": "disabled"}))
    await dispatcher.registry.put(one)

    async def arrives() -> bool:
        """An event may be there before the dispatcher has read that the endpoint is enabled."""
        await dispatcher.event("tag.added")
        return [request.status for request in sink.requests][:2] == [410, 204]

    await eventually(arrives, seconds=8, every=0.1)


async def test_retry_after_is_obeyed(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/busy", "tag.added", schedule_seconds=(1, 1)))
    sink.fail_next("/busy", 429, headers={"Retry-After": "3"})
    await dispatcher.start()
    await dispatcher.event("tag.added")
    first, second = await eventually(lambda: len(sink.requests) == 2 and sink.requests)
    assert second.at - first.at >= 2.9


async def test_a_slow_and_a_dead_endpoint_do_not_slow_the_others(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(
        endpoint("slow", f"{sink.url}/slow", "tag.added", max_in_flight=4),
        endpoint("dead", "http://127.0.0.1:9/dead", "tag.added", max_in_flight=4),
        endpoint("quick", f"{sink.url}/quick", "tag.added"),
    )
    sink.delay("/slow", 10)
    await dispatcher.start()
    await dispatcher.event("tag.added")
    await eventually(lambda: sink.requests_to("/quick"))
    for _ in range(300):
        await dispatcher.event("tag.added")
    await eventually(lambda: len(sink.requests_to("/quick")) == 301, seconds=5)
    assert 1 <= len(sink.requests_to("/slow")) <= 8


async def test_an_ordered_endpoint_gets_a_conversations_events_one_after_another(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/in-order", "*", ordered=True, schedule_seconds=(1, 1)))
    sink.fail_next("/in-order", 503)
    await dispatcher.start()
    for number in range(5):
        await dispatcher.event("tag.added", conversation_id="bot-1/tg-1/p1", number=number)
    requests = await eventually(lambda: len(sink.requests) == 6 and sink.requests)
    assert [orjson.loads(each.body)["data"]["number"] for each in requests] == [0, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[::1]:80/x", "http://0177.0.0.1/x"])
async def test_an_internal_address_is_refused_with_a_sentence_that_says_why(
    dispatcher: RunningDispatcher, url: str
) -> None:
    await dispatcher.start()
    id = await dispatcher.post(url)
    [attempt] = await eventually(lambda: dispatcher.pool.fetch("SELECT * FROM attempt WHERE delivery_id = $1", id))
    assert attempt["code"] == "unreachable"
    assert "169.254" not in attempt["detail"].replace("169.254.169.254 cannot", "")
    row = await dispatcher.row(id)
    assert row is not None
    assert row["state"] == "retrying"


async def test_an_event_about_an_endpoint_does_not_go_to_it_and_makes_no_more_events(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(
        endpoint("e1", f"{sink.url}/own"), endpoint("e2", f"{sink.url}/other", schedule_seconds=())
    )
    sink.answer("/other", 500)
    await dispatcher.start()
    await dispatcher.event("endpoint.failing", endpoint={"id": "e1"})
    await eventually(lambda: sink.requests_to("/other"))
    await eventually(lambda: dispatcher.pool.fetch("SELECT id FROM delivery WHERE state = 'exhausted'"))
    assert sink.requests_to("/own") == []
    assert await dispatcher.events("delivery.exhausted") == []


async def test_a_deleted_endpoints_deliveries_end_as_cancelled(dispatcher: RunningDispatcher, sink: Receiver) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added", schedule_seconds=(1, 600)))
    sink.answer("/x", 500)
    await dispatcher.start()
    id = await dispatcher.event("tag.added")
    await eventually(lambda: sink.requests)
    await dispatcher.registry.delete("endpoint", "e1", PROJECT)
    await eventually(lambda: _state(dispatcher, str(derived_key(id, "e1")), "cancelled"))


async def test_failing_is_told_after_four_attempts_and_exhausted_at_the_end(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added", schedule_seconds=(1, 1, 1)))
    sink.answer("/x", 500)
    await dispatcher.start()
    await dispatcher.event("tag.added")
    [failing] = await eventually(lambda: dispatcher.events("endpoint.failing"), seconds=20)
    [exhausted] = await eventually(lambda: dispatcher.events("delivery.exhausted"))
    assert failing["endpoint"] == {"id": "e1"}
    assert (exhausted["delivery"]["attempts"], exhausted["error"]["status"]) == (4, 500)


async def _state(dispatcher: RunningDispatcher, id: str, state: str) -> bool:
    row = await dispatcher.row(id)
    return row is not None and row["state"] == state
