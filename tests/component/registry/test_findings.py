"""What others found out becomes state: disabled endpoints, paused channels, the requests of triggers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from contracts import cloudevents, dlq
from contracts import findings as findings_topic
from contracts.cloudevents import rfc3339
from contracts.events import Event
from contracts.groups import GROUPS
from contracts.ids import uuid7
from contracts.registry import TOPIC
from registry.kafka.findings_handler import FindingsHandler
from registry.store import postgres_trigger_requests
from registry.store.people import STORES
from servicekit.kafka.cluster import Cluster
from servicekit.loop.partition_loop import PartitionLoop
from support.ledger import read_all
from support.registry_api import Project, RegistryUnderTest, new_project, running_registry
from support.tables_of_people import of_people
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
LONG_AGO = "2020-01-01T00:00:00.000Z"


class Findings:
    """Writes to the findings topic as the other services do. `dead_letters`: where those go that are none."""

    def __init__(self, topic: str, producer: AIOKafkaProducer, dead_letters: str) -> None:
        self._topic, self._producer, self.dead_letters = topic, producer, dead_letters

    async def tell(self, type: str, *, at: str | None = None, **data: Any) -> None:
        event = Event.model_validate({"type": type, "timestamp": at or cloudevents.now_text(), "data": data})
        await self.send(type, event.encode())

    async def send(self, type: str, value: bytes | None) -> None:
        headers = cloudevents.headers(id=str(uuid7()), type=type, source="/test", time=cloudevents.now_text())
        await self._producer.send_and_wait(self._topic, value, b"bot", headers=headers)


@pytest.fixture
async def replica(cluster: Cluster, migrated: str, make_topic: MakeTopic) -> AsyncIterator[RegistryUnderTest]:
    await make_topic(TOPIC.name)
    async with running_registry(cluster, migrated) as running:
        yield running


@pytest.fixture
async def findings(cluster: Cluster, make_topic: MakeTopic, replica: RegistryUnderTest) -> AsyncIterator[Findings]:
    topic = await make_topic(findings_topic.TOPIC.name, partitions=2)
    dead_letters = await make_topic(dlq.topic_for("registry").name)
    loop = PartitionLoop(
        FindingsHandler(replica.site),
        cluster=cluster,
        group=GROUPS["registry"][FindingsHandler.topic],
        service="registry",
        instance="one",
        pool=replica.database.pool,
    )
    task = asyncio.create_task(loop.run())
    producer = AIOKafkaProducer(bootstrap_servers=cluster.servers, max_request_size=4 << 20)
    await producer.start()
    try:
        yield Findings(topic, producer, dead_letters)
    finally:
        await producer.stop()
        await loop.close()
        await task


async def endpoint_of(project: Project) -> str:
    body = {"url": "https://crm.example.com", "events": ["*"]}
    return str((await project.post("/v1/endpoints", body))["id"])


async def test_a_disabled_endpoint_is_shown_and_published_as_such(
    replica: RegistryUnderTest, findings: Findings
) -> None:
    project = await new_project(replica)
    id = await endpoint_of(project)
    await findings.tell("endpoint.disabled", endpoint={"id": id}, reason="410 Gone")

    async def is_disabled() -> bool:
        shown = await project.get(f"/v1/endpoints/{id}")
        return (shown["state"], shown.get("reason")) == ("disabled", "410 Gone")

    await eventually(is_disabled)
    await eventually(lambda: replica.tail.last[f"endpoint/{id}"] == (1, 2))
    assert "reason" not in await project.post(f"/v1/endpoints/{id}/enable", expect=200)


async def test_a_finding_older_than_the_users_word_is_ignored(replica: RegistryUnderTest, findings: Findings) -> None:
    project = await new_project(replica)
    enabled, other = await endpoint_of(project), await endpoint_of(project)
    await project.post(f"/v1/endpoints/{enabled}/enable", expect=200)
    await findings.tell("endpoint.disabled", at=LONG_AGO, endpoint={"id": enabled})
    await findings.tell("endpoint.disabled", endpoint={"id": other})

    async def other_is_disabled() -> bool:
        return bool((await project.get(f"/v1/endpoints/{other}"))["state"] == "disabled")

    await eventually(other_is_disabled)
    assert (await project.get(f"/v1/endpoints/{enabled}"))["state"] == "enabled"


async def test_the_circuit_of_an_endpoint_is_shown(replica: RegistryUnderTest, findings: Findings) -> None:
    """state, since, next try and reason; and a change of the endpoint has it tried anew."""
    project = await new_project(replica)
    endpoint = {"id": await endpoint_of(project)}

    async def shown() -> dict[str, Any]:
        return dict((await project.get(f"/v1/endpoints/{endpoint['id']}"))["circuit"])

    async def is_shown(**wanted: Any) -> None:
        async def it_is() -> bool:
            return (await shown()).items() >= wanted.items()

        await eventually(it_is)

    assert await shown() == {"state": "closed"}
    now = datetime.now(UTC)
    first, again = rfc3339(now), rfc3339(now + timedelta(seconds=5))
    soon, later, past = (rfc3339(now + timedelta(seconds=seconds)) for seconds in (300, 310, -1))
    failed = {"reason": "The receiver answered 503."}
    await findings.tell("endpoint.circuit", at=first, endpoint=endpoint, circuit={"next_try": soon, **failed})
    await is_shown(state="open", since=first, next_try=soon, **failed)
    await findings.tell("endpoint.circuit", at=again, endpoint=endpoint, circuit={"next_try": later, **failed})
    await is_shown(state="open", since=first, next_try=later)
    listed = (await project.get("/v1/endpoints"))["items"]
    assert [each["circuit"]["state"] for each in listed] == ["open"]
    await findings.tell("endpoint.circuit", at=again, endpoint=endpoint, circuit={"next_try": past, **failed})
    await is_shown(state="half_open")
    await findings.tell("endpoint.circuit", at=again, endpoint=endpoint, circuit={})
    await is_shown(state="closed")
    await findings.tell("endpoint.circuit", at=again, endpoint=endpoint, circuit={"next_try": later, **failed})
    await is_shown(state="open", since=again)
    await project.call("PATCH", f"/v1/endpoints/{endpoint['id']}", {"timeout_seconds": 3})
    assert await shown() == {"state": "closed"}


async def test_a_paused_channel_is_shown_as_such(replica: RegistryUnderTest, findings: Findings) -> None:
    project = await new_project(replica)
    id = await project.http_channel(await project.bot())
    await findings.tell("channel.paused", channel={"id": "nobody"})
    await findings.tell("channel.paused", channel={"id": id}, reason="401 Unauthorized")

    async def is_paused() -> bool:
        return bool((await project.get(f"/v1/channels/{id}"))["state"] == "paused")

    await eventually(is_paused)
    resumed = await project.call("PATCH", f"/v1/channels/{id}", {"state": "active"})
    assert (resumed["state"], "reason" in resumed) == ("active", False)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"not json", b"not-json"),
        (None, b"not-json"),
        (b"x" * 2_000_000, b"not-json"),
        (b"{}", b"wrong-schema"),
        (b'{"type": "channel.danced", "timestamp": "2026-11-21T00:00:00Z", "data": {}}', b"wrong-schema"),
        (b'{"type": "message.sent", "timestamp": "2026-11-21T00:00:00Z", "data": {}}', b"unknown-type"),
        (b'{"type": "channel.paused", "timestamp": "yesterday", "data": {"channel": {"id": "c"}}}', b"wrong-schema"),
        (b'{"type": "channel.paused", "timestamp": "2026-11-21T00:00:00Z", "data": {"channel": 1}}', b"wrong-schema"),
        (b'{"type": "channel.paused", "timestamp": "9999-12-31T23:59:59-23:59", "data": {}}', b"wrong-schema"),
    ],
)
async def test_poison_is_parked_with_its_reason_and_does_not_hold_what_is_behind_it(
    replica: RegistryUnderTest, findings: Findings, value: bytes | None, code: bytes
) -> None:
    project = await new_project(replica)
    id = await endpoint_of(project)
    await findings.send("channel.paused", value)
    await findings.tell("endpoint.disabled", endpoint={"id": id})

    async def is_disabled() -> bool:
        return bool((await project.get(f"/v1/endpoints/{id}"))["state"] == "disabled")

    await eventually(is_disabled)
    [parked] = await eventually(lambda: read_all(replica.settings.kafka, findings.dead_letters))
    assert (dict(parked.headers)["dlq-error-code"], parked.value) == (code, value)


async def trigger_of(project: Project) -> str:
    bot = await project.bot()
    await project.http_channel(bot)
    body = {"flow": await project.published_flow(bot), "entry": "bought", "auth": "url"}
    return str((await project.post("/v1/triggers", body))["id"])


async def test_what_postgres_cannot_hold_of_a_request_is_replaced_and_nothing_is_parked(
    replica: RegistryUnderTest, findings: Findings
) -> None:
    project = await new_project(replica)
    trigger = await trigger_of(project)
    body = {"a\x00": ["\x00"], "n": 10**30}
    await findings.tell("trigger.request", trigger={"id": trigger}, body=body, status=401, event_id="e-1")
    await findings.tell("endpoint.disabled", endpoint={"id": "\x00"}, reason="\x00")
    await findings.tell("trigger.request", trigger={"id": trigger}, body={}, status=202, event_id="e-2")

    async def logged() -> list[dict[str, Any]]:
        return list((await project.get(f"/v1/triggers/{trigger}/requests"))["items"])

    async def both() -> bool:
        return len(await logged()) == 2

    await eventually(both)
    newest, odd = await logged()
    assert (newest["event_id"], newest["status"]) == ("e-2", 202)
    assert (odd["event_id"], odd["body"]) == ("e-1", {"a\ufffd": ["\ufffd"], "n": str(10**30)})
    assert await read_all(replica.settings.kafka, findings.dead_letters) == []


async def test_the_last_fifty_requests_of_a_trigger_are_kept(replica: RegistryUnderTest, findings: Findings) -> None:
    project = await new_project(replica)
    trigger = await trigger_of(project)
    for number in range(60):
        await findings.tell("trigger.request", trigger={"id": trigger}, body={"n": number}, status=202)

    async def numbers() -> list[int]:
        listed = await project.get(f"/v1/triggers/{trigger}/requests")
        return [one["body"]["n"] for one in listed["items"]]

    async def are_kept() -> bool:
        return await numbers() == list(range(59, 9, -1))

    await eventually(are_kept)
    newest = (await project.get(f"/v1/triggers/{trigger}/requests"))["items"][0]
    assert newest.keys() == {"event_id", "at", "body", "status"}
    await project.call("DELETE", f"/v1/triggers/{trigger}", expect=204)
    assert await replica.database.pool.fetchval("SELECT count(*) FROM trigger_request") == 0


async def test_a_version_that_nobody_needs_is_deleted_and_one_that_may_be_started_is_not(
    replica: RegistryUnderTest, findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is said of it; and all of a flow that is deleted."""
    monkeypatch.setattr("registry.resources.flows.KEPT_VERSIONS", 1)
    project = await new_project(replica)
    flow = await project.published_flow(await project.bot())
    await project.post(f"/v1/flows/{flow}/publish", expect=200)
    for version in ("2", "1", "9"):
        await findings.tell("flow_version.unused", flow_version={"id": f"{flow}/{version}"})

    async def versions() -> list[int]:
        return [each["version"] for each in (await project.get(f"/v1/flows/{flow}/versions"))["items"]]

    async def are_left(*expected: int) -> bool:
        return await versions() == list(expected)

    await eventually(lambda: are_left(2))
    await eventually(lambda: f"flow_version/{flow}/1" in replica.tail.deleted)
    await project.call("DELETE", f"/v1/flows/{flow}", expect=204)
    await findings.tell("flow_version.unused", flow_version={"id": f"{flow}/2"})
    await eventually(lambda: f"flow_version/{flow}/2" in replica.tail.deleted)


async def test_the_requests_of_who_was_erased_go_and_so_do_those_of_long_ago(
    replica: RegistryUnderTest, findings: Findings
) -> None:
    pool, trigger = replica.database.pool, str(uuid7())
    for number in range(3):
        at = rfc3339(datetime.now(UTC) - timedelta(days=9)) if number == 2 else None
        await findings.tell(
            "trigger.request", at=at, trigger={"id": trigger}, body={"name": "Anna"}, event_id=f"e-{number}"
        )

    async def left() -> set[str]:
        rows = await pool.fetch("SELECT event_id FROM trigger_request WHERE trigger_id = $1", trigger)
        return {row["event_id"] for row in rows}

    await eventually(lambda: _is(left, {"e-0", "e-1", "e-2"}))
    await findings.tell("contact.erased", contact={"id": str(uuid7())}, event_ids=["e-0", "nobody's", 7])
    await eventually(lambda: _is(left, {"e-1", "e-2"}))
    async with pool.acquire() as connection:
        await postgres_trigger_requests.forget_old(connection)
    assert await left() == {"e-1"}


async def _is(found: Callable[[], Awaitable[set[str]]], wanted: set[str]) -> bool:
    return await found() == wanted


async def test_every_table_that_may_know_people_says_how_they_are_erased(replica: RegistryUnderTest) -> None:
    assert await of_people(replica.database.pool, "registry") == STORES.keys()
