"""Outcomes become rows, and are heard of, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from structlog.testing import capture_logs

from dispatcher.model.delivery import Delivery, Result
from dispatcher.results import recorder as module
from dispatcher.results.outcomes import Outcomes
from dispatcher.results.recorder import AT_ONCE, Recorder
from dispatcher.store.port import LEFT_AT_ONCE, Lease, Queue
from servicekit.checkpoints.transactions import OutcomeUnknown
from servicekit.kafka.records import Outgoing
from support.at_work import at_work
from support.deliveries import call
from support.deliveries_in_memory import DeliveriesInMemory
from support.delivering import LEASE_SECONDS, Published, leased, new
from support.leased import attempted
from support.waiting import eventually

NOW = timedelta(0)
LANE = "e1/-"


class World:
    """A recorder at work."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)
        self.store = DeliveriesInMemory(now=lambda: self.time)
        self.kafka, self.outcomes, self.offered = Published(), Outcomes(AT_ONCE), list[Delivery]()
        self.held, self.in_a_stretch = {"events/0"}, set[str]()
        self.recorder = Recorder(
            self.store, self.kafka, self.outcomes, self,
            holds=self.held.__contains__, lease_seconds=LEASE_SECONDS,
        )  # fmt: skip

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        self.offered += deliveries

    def stretches(self, ended: Iterable[Delivery]) -> dict[str, int]:
        return {each.lane or "": each.kind.stretch for each in ended}

    async def saved(self, *results: Result) -> None:
        for each in results:
            self.outcomes.add(each)
        async with asyncio.timeout(15):
            await self.outcomes.drained()
        await self.recorder.drained(15)

    def at_work(self) -> AbstractAsyncContextManager[None]:
        return at_work(self.recorder.run())


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    made = World()
    async with made.at_work():
        yield made


async def test_an_outcome_is_saved_and_heard_of_and_what_kafka_has_goes_with_the_next(world: World) -> None:
    first, second = await leased(world.store), await leased(world.store)
    await world.saved(attempted(first, "exhausted", code="http-500"))
    assert (await world.store.state(first), world.kafka.types()) == ("exhausted", ["delivery.exhausted"])
    assert len(world.store.tables.outbox) == 1
    await world.saved(attempted(second))
    assert world.store.tables.outbox == {}


async def test_what_ended_under_another_lease_is_neither_saved_nor_heard_of(world: World) -> None:
    one = await leased(world.store, seconds=0)
    [queue] = await world.store.due_queues([])
    await world.store.claim(queue, 1, Lease(60))
    await world.saved(attempted(one, "exhausted", code="http-500"))
    assert (await world.store.state(one), world.kafka.records) == ("in_flight", [])


async def test_the_database_being_away_costs_nothing_but_time(world: World) -> None:
    world.store.fails = [ConnectionResetError("away"), ConnectionResetError("away")]
    one = await leased(world.store)
    await world.saved(attempted(one))
    assert await world.store.state(one) == "succeeded"


async def test_a_commit_whose_answer_is_lost_is_not_heard_of_twice(world: World) -> None:
    world.store.unanswered = [OutcomeUnknown(ConnectionResetError("lost"))]
    one = await leased(world.store)
    await world.saved(attempted(one, "exhausted", code="http-500"))
    assert (await world.store.state(one), world.kafka.records) == ("exhausted", [])
    world.time += timedelta(seconds=1)
    await world.recorder.sweep(NOW)
    assert world.kafka.types() == ["delivery.exhausted"]


async def test_what_kafka_did_not_take_is_published_by_a_sweep_and_then_forgotten(world: World) -> None:
    world.kafka.fails = [ConnectionResetError("away")]
    one = await leased(world.store)
    await world.saved(attempted(one, "exhausted", code="http-500"))
    world.time += timedelta(seconds=1)
    await world.recorder.sweep(timedelta(minutes=1))
    assert world.kafka.records == []
    await world.recorder.sweep(NOW)
    assert world.kafka.types() == ["delivery.exhausted"]
    await world.recorder.sweep(NOW)
    assert (world.kafka.types(), world.store.tables.outbox) == (["delivery.exhausted"], {})


@pytest.mark.parametrize("failures", [4, 5])
async def test_a_circuit_that_a_process_before_had_opened_is_told_as_closed_by_the_first_success(
    world: World, failures: int
) -> None:
    """Seen: after a restart of the dispatcher an endpoint that worked was shown as half open for ten minutes."""
    async with world.store.session() as session:
        await session.note_failures({"endpoint:e1": failures}, timedelta(days=5))
    first, second, other = [await leased(world.store, to=to) for to in ("endpoint:e1", "endpoint:e1", "endpoint:e2")]
    await world.saved(attempted(first), attempted(second), attempted(other))
    await world.saved(attempted(await leased(world.store)))
    bodies = [orjson.loads(each.value or b"") for each in world.kafka.records]
    closed = {"endpoint": {"id": first.target}, "circuit": {}}
    assert [each["data"] for each in bodies] == ([closed] if failures >= 5 else [])


RECORD = Outgoing("t", b"k", b"v", [("ce_type", b"x")])


async def test_what_was_published_while_a_sweep_and_an_outcome_cross_is_not_published_again(world: World) -> None:
    late, swept, publish, transaction = (
        await leased(world.store), await leased(world.store), world.kafka.publish_many, world.store.transaction,
    )  # fmt: skip
    on_its_way, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly(records: Sequence[Outgoing]) -> None:
        world.kafka.publish_many = publish  # type: ignore[method-assign]
        on_its_way.set()
        await goes_on.wait()
        await publish(records)

    async def crossed(work: Any) -> Any:
        world.store.transaction = transaction  # type: ignore[method-assign]
        await world.recorder.sweep(timedelta(hours=1))
        goes_on.set()
        await eventually(lambda: len(world.kafka.records) == 2)
        return await transaction(work)

    world.kafka.publish_many = slowly  # type: ignore[method-assign]
    world.outcomes.add(attempted(late, "exhausted", code="http-500"))
    await on_its_way.wait()
    world.outcomes.add(attempted(swept, "exhausted", code="http-500"))
    await eventually(lambda: len(world.kafka.records) == 1)
    world.store.transaction = crossed  # type: ignore[method-assign]
    await world.saved(attempted(await leased(world.store)))
    await world.saved(attempted(await leased(world.store)))
    assert world.store.tables.outbox == {}


async def test_after_a_stall_all_that_is_left_is_published_at_once(world: World) -> None:
    """Seen: fifty rows every fifteen seconds, and the same ones by every replica."""
    left = 2 * LEFT_AT_ONCE + 1
    async with world.store.session() as session:
        for _ in range(left):
            await session.keep_results([RECORD])
    world.time += timedelta(seconds=1)
    await world.recorder.sweep(NOW)
    assert len(world.kafka.records) == left
    await world.recorder.sweep(NOW)
    assert (len(world.kafka.records), world.store.tables.outbox) == (left, {})
    async with world.store.session() as session:
        await session.keep_results([RECORD])
        world.time += timedelta(seconds=30)
        assert len(await session.unpublished(timedelta(seconds=20))) == 1
        assert await session.unpublished(timedelta(seconds=20)) == [], "another replica has it"


async def test_a_result_that_cannot_be_saved_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad, better = [await leased(world.store) for _ in range(3)]
    record = world.store.record

    async def refuses(results: Sequence[Result], *more: Any) -> set[UUID]:
        if any(each.delivery.key == bad.key for each in results):
            raise ValueError("no such thing")
        return await record(results, *more)

    monkeypatch.setattr(world.store, "record", refuses)
    await world.saved(*map(attempted, (good, bad, better)))
    assert [await world.store.state(one) for one in (good, bad, better)] == ["succeeded", "in_flight", "succeeded"]


@pytest.mark.usefixtures("quiet")
async def test_a_result_that_cannot_be_saved_at_all_holds_its_lane_up_for_no_longer_than_a_lease(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, second, _ = await lane_of(world, 3)
    record, world.recorder._lease_seconds = world.store.record, 0.01

    async def refuses(results: Sequence[Result], *more: Any) -> set[UUID]:
        if any(each.delivery.key == second.key for each in results):
            raise ValueError("no such thing")
        return await record(results, *more)

    monkeypatch.setattr(world.store, "record", refuses)
    await world.saved(attempted(head, goes_on=True), attempted(second))
    await eventually(lambda: [each.key for each in world.offered] == [second.key])


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without tracebacks: printed in colour with all locals, one takes a second."""
    with capture_logs():
        yield


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("outcome", "more"),
    [
        ("succeeded", {"detail": "\ud800"}),
        ("succeeded", {"code": "a\x00b"}),
        ("succeeded", {"status": 70_000}),
        ("retry", {"delay": float("inf")}),
        ("retry", {"delay": 5.0, "pause": float("inf"), "pause_reason": "retry-after"}),
    ],
)
async def test_what_cannot_be_recorded_of_an_answer_is_left_out_and_the_outcome_stands(
    world: World, outcome: str, more: dict[str, Any]
) -> None:
    one, good = await leased(world.store), await leased(world.store)
    await world.saved(attempted(one, outcome, **more), attempted(good))
    expected = {"succeeded": "succeeded", "retry": "retrying"}[outcome]
    assert [await world.store.state(each) for each in (one, good)] == [expected, "succeeded"]
    row = world.store.tables.rows[one.key, one.day]
    assert ([note.code for note in row.notes], row.error) == (["unrecordable"], "What came back cannot be kept.")


@pytest.mark.usefixtures("quiet")
async def test_who_waits_for_an_answer_that_cannot_be_told_hears_that_there_is_none(world: World) -> None:
    body: Any = []
    for _ in range(300):
        body = [body]
    action = call()
    one = await leased(world.store, kind="call", parsed=action, conversation=action.conversation)
    await world.saved(attempted(one, "succeeded", answer=body))
    assert await world.store.state(one) == "exhausted"
    [told] = [orjson.loads(record.value or b"") for record in world.kafka.records]
    assert (told["outcome"], told["error"]["type"]) == ("error", "unrecordable")


async def test_a_lanes_next_delivery_is_offered_when_its_head_has_ended(world: World) -> None:
    following = await new(world.store, lane=LANE, seq=2)
    head = await leased(world.store, following, lane=LANE, seq=1)
    await world.saved(attempted(head, "retry", delay=60.0))
    assert world.offered == []
    [queue] = world.store.places.values()
    world.time += timedelta(seconds=60)
    [again] = await world.store.claim(Queue(queue, "endpoint:e1"), 1, Lease(60))
    await world.saved(attempted(again))
    assert [(each.key, each.destination) for each in world.offered] == [(following.key, "endpoint:e1")]


async def lane_of(world: World, count: int) -> list[Delivery]:
    """Leased together, as a stretch that was taken over."""
    others = [await new(world.store, lane=LANE, seq=seq) for seq in range(2, count + 1)]
    head = await leased(world.store, *others, lane=LANE, seq=1)
    for each in others:
        each.lease = head.lease
    return [head, *others]


async def test_after_a_success_a_stretch_of_the_lane_is_offered_and_after_any_other_end_a_single_one(
    world: World,
) -> None:
    first, second, *others = await lane_of(world, 20)
    await world.saved(attempted(first, goes_on=True), attempted(second, "exhausted", code="http-500"))
    assert [(each.key, each.following) for each in world.offered] == [(others[0].key, ())]
    await world.saved(attempted(world.offered[0]))
    assert [each.key for each in (world.offered[1], *world.offered[1].following)] == [each.key for each in others[1:9]]


async def test_of_a_lane_of_which_a_stretch_is_in_hand_nothing_is_leased_whoever_asks(world: World) -> None:
    head, second, third = await lane_of(world, 3)
    world.in_a_stretch.add(LANE)
    world.outcomes.look_after({LANE})
    await world.saved(attempted(head, goes_on=True))
    assert (world.offered, await world.store.state(second)) == ([], "blocked")
    world.in_a_stretch.clear()
    await world.saved(attempted(second, goes_on=False))
    assert [each.key for each in world.offered] == [third.key]


async def test_of_a_lane_whose_next_result_is_still_to_be_saved_nothing_is_leased(world: World) -> None:
    head, second, third = await lane_of(world, 3)
    world.recorder._at_once = 1
    world.outcomes.look_after({LANE})
    await world.saved(attempted(head, goes_on=True), attempted(second, goes_on=False))
    assert [each.key for each in world.offered] == [third.key]


async def test_a_lane_to_be_looked_after_is_not_forgotten_over_a_result_that_is_still_to_be_saved(world: World) -> None:
    """What would have followed was dropped with its partition."""
    other, (head, second) = await leased(world.store), await lane_of(world, 2)
    world.recorder._at_once = 1
    world.outcomes.look_after({LANE})
    await world.saved(attempted(other), attempted(head, goes_on=True))
    assert [each.key for each in world.offered] == [second.key]


async def test_a_lane_goes_on_when_the_last_result_of_its_stretch_is_nobodys_any_more(world: World) -> None:
    head, second, third = await lane_of(world, 3)
    second.lease = None
    await world.saved(attempted(head, goes_on=True))
    world.store.tables.rows[second.key, second.day].finished = True
    await world.saved(attempted(second))
    assert [each.key for each in world.offered] == [third.key]


async def test_of_a_lane_that_is_anothers_nothing_is_offered(world: World) -> None:
    following = await new(world.store, lane=LANE, seq=2)
    head = await leased(world.store, following, lane=LANE, seq=1)
    world.held.clear()
    await world.saved(attempted(head))
    assert (world.offered, await world.store.state(following)) == ([], "blocked")


async def test_a_lane_that_is_to_be_looked_after_goes_on_without_a_result(world: World) -> None:
    following = await new(world.store, lane=LANE, seq=2)
    head = await leased(world.store, following, lane=LANE, seq=1)
    await world.store.record([attempted(head)], [], [])
    world.outcomes.look_after({LANE})
    await eventually(lambda: [each.key for each in world.offered] == [following.key])


async def test_the_owner_of_an_endpoint_hears_once_that_it_fails_and_again_after_a_success(world: World) -> None:
    async def fails(attempts: int) -> None:
        one = await leased(world.store, attempts=attempts)
        await world.saved(attempted(one, "retry", delay=1.0, destination_failed=True))

    await fails(3)
    assert world.kafka.types() == []
    await fails(4)
    await fails(5)
    assert world.kafka.types() == ["endpoint.failing"]
    await world.saved(attempted(await leased(world.store)))
    await fails(4)
    assert world.kafka.types() == ["endpoint.failing"] * 2


async def test_an_endpoint_without_a_success_for_days_is_switched_off(world: World) -> None:
    first, second = await leased(world.store), await leased(world.store)
    await world.saved(attempted(first, "retry", delay=1.0, destination_failed=True))
    world.time += timedelta(days=5, seconds=1)
    await world.saved(attempted(second, "retry", delay=1.0, destination_failed=True))
    assert world.kafka.types() == ["endpoint.disabled", "endpoint.disabled"]  # Told to the outside and to the registry.
    assert set(await world.store.pauses()) == {"endpoint:e1"}


async def test_of_destinations_that_are_no_endpoints_nobody_is_warned(world: World) -> None:
    one = await leased(world.store, kind="webhook", to="host:e.com:443", attempts=9)
    await world.saved(attempted(one, "retry", delay=1.0, destination_failed=True))
    assert (world.kafka.records, world.store.tables.destinations["host:e.com:443"].failures) == ([], 1)


async def test_the_longest_pause_of_a_batch_counts(world: World) -> None:
    given = [await leased(world.store) for _ in range(3)]
    results = [
        attempted(one, "retry", delay=1.0, pause=pause, pause_reason="retry-after")
        for one, pause in zip(given, (10.0, 30.0, 20.0), strict=True)
    ]
    await world.saved(*results)
    assert await world.store.pauses() == {"endpoint:e1": 30.0}
