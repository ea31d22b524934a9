"""What every DeliveryStore does: one suite, on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast, get_args

import pytest

from dispatcher.model.delivery import Delivery, Result
from dispatcher.model.states import MOVES, Happening, State
from dispatcher.store.port import CLAIMED_BYTES, DeliveryStore, Lease, Place, Queue, Session
from servicekit.kafka.records import Outgoing
from support.leased import attempted, delivery

TODAY = datetime.now(UTC).date()
SOURCE, LANE, TO = "events/0", "e1/b/c/1", "endpoint:e1"
DISABLE_AFTER = timedelta(days=5)
RECORD = Outgoing("t", b"k", b"v", [("a", b"b")])
TAKEN_OVER: dict[str, State] = {
    "taken over": "in_flight", "taken over without room": "pending", "taken over behind another": "in_flight",
    "taken over for a disabled endpoint": "discarded",
}  # fmt: skip


@dataclass
class Kept:
    """A store under test. `transaction` gives what `on` takes; `state` and `attempts` say what a row has, or None."""

    store: DeliveryStore
    transaction: Callable[[], AbstractAsyncContextManager[Any]]
    state: Callable[[Delivery], Awaitable[State | None]]
    replay: Callable[[Delivery], Awaitable[bool]]

    async def new(self, *, lane: str | None = None, source: str = SOURCE, to: str = TO, **more: Any) -> Delivery:
        """A delivery with its queue, not yet kept."""
        place = Place(to, source if lane else "")
        fields: dict[str, Any] = {"day": TODAY, "queue_id": (await self.store.queue_ids([place]))[place]} | more
        return delivery(lane=lane, source=source, destination=to, lease=None, **fields)

    async def take_over(self, *deliveries: Delivery, seconds: float = 60) -> dict[Any, State]:
        lease = Lease(seconds)
        async with self.transaction() as connection:
            states = await self.store.on(connection).take_over(deliveries, lease)
        for each in deliveries:
            if states.get(each.key) in ("in_flight", "blocked"):
                each.lease = lease.id
        return states

    async def leased(self, *, seconds: float = 60, **more: Any) -> Delivery:
        one = await self.new(**more)
        await self.take_over(one, seconds=seconds)
        return one

    async def record(self, *results: Result, working: tuple[str, ...] = ()) -> set[Any]:
        return (await self.store.transaction(lambda session: session.record(results, working, []))).mine

    async def due(self, *sources: str) -> list[str]:
        async with self.store.session() as session:
            return [queue.destination for queue in await session.due_queues(sources)]

    async def erase(self, *contact_ids: str) -> None:
        async with self.transaction() as connection:
            await self.store.on(connection).erase(contact_ids, "b/c/p")

    async def claim(self, one: Delivery, limit: int = 10, seconds: float = 60) -> list[Delivery]:
        async with self.store.session() as session:
            return await session.claim(Queue(one.queue_id, one.destination), limit, Lease(seconds))

    async def unblock(self, *lanes: str, most: int = 1) -> list[Delivery]:
        counts = dict.fromkeys(lanes, most)
        return await self.store.transaction(lambda session: session.unblock(counts, Lease(60)))

    async def supersede(self, lane: str, epoch: int) -> set[Any]:
        async with self.transaction() as connection:
            return await self.store.on(connection).supersede({lane: epoch})

    async def take_lanes(self, *on_the_wire: Delivery) -> None:
        async with self.store.session() as session:
            await session.take_lanes([SOURCE], [each.key for each in on_the_wire])


def ended(one: Delivery, outcome: Any = "succeeded", **more: Any) -> Result:
    return attempted(one, outcome, **more)


class StateMachine:
    """Brings a delivery into a state, and has things happen to it. `lane` is its own, and so is its destination."""

    def __init__(self, kept: Kept, lane: str) -> None:
        self.kept = kept
        self.about: dict[str, Any] = {"lane": lane, "to": f"endpoint:{lane}"}
        self.head: Delivery | None = None

    async def brought_to(self, state: State | None) -> Delivery:
        one = await self.kept.new(seq=5, contact_id=f"contact of {self.about['lane']}", **self.about)
        if state is None:
            return one
        if state == "blocked":
            self.head = await self.kept.leased(seq=1, **self.about)
        one.state = state if state in ("pending", "discarded") else "in_flight"
        await self.kept.take_over(one, seconds=0)
        if state in ("retrying", "succeeded", "exhausted", "cancelled"):
            outcome = "retry" if state == "retrying" else state
            await self.kept.record(ended(one, outcome, delay=0.0 if state == "retrying" else None))
        return one

    async def happens(self, one: Delivery, happening: Happening) -> None:
        kept = self.kept
        if happening in TAKEN_OVER:
            await self._taken_over(one, happening)
        elif happening == "claimed when due":
            await kept.claim(one)
        elif happening == "became the head":
            await self._head_ends()
            await kept.unblock(self.about["lane"])
        elif happening == "its partition moved":
            await self._head_ends()
            await kept.take_lanes()
        elif happening == "its day is dropped":
            await kept.store.transaction(lambda session: session.discard_some(TODAY, "too old"))
        elif happening == "replayed":
            await kept.replay(one)
        elif happening == "its contact is erased":
            await kept.erase(str(one.contact_id))
        elif happening == "taken over for somebody erased":
            await kept.erase("nobody")
            await kept.take_over(replace(one, contact_id="nobody"))
        else:
            await self._ends(one, happening)

    async def _taken_over(self, one: Delivery, happening: Happening) -> None:
        if happening == "taken over behind another":
            await self.kept.leased(seq=1, **self.about)
        again = replace(one, state=TAKEN_OVER[happening])
        await self.kept.take_over(again)

    async def _head_ends(self) -> None:
        if self.head is not None:
            await self.kept.record(ended(self.head))

    async def _ends(self, one: Delivery, happening: Happening) -> None:
        deferred = happening.startswith("deferred")
        tried = replace(one, attempts=2) if happening == "deferred" else one
        delay = 60.0 if deferred or happening == "retry" else None
        result = Result(tried, cast(Any, "deferred" if deferred else happening), delay=delay)
        await self.kept.record(result)


class DeliveryStoreSuite:
    """Subclasses give `kept`, empty."""

    @pytest.mark.parametrize("state", [None, *get_args(State)])
    async def test_a_delivery_moves_as_the_table_says_and_in_no_other_way(
        self, kept: Kept, state: State | None
    ) -> None:
        moved: dict[Happening, State | None] = {}
        for happening in get_args(Happening):
            machine = StateMachine(kept, happening)
            one = await machine.brought_to(state)
            assert await kept.state(one) == state
            await machine.happens(one, happening)
            if (after := await kept.state(one)) != state or (state, happening) in MOVES:
                moved[happening] = after
        assert moved == {happening: move.state for (before, happening), move in MOVES.items() if before == state}

    # Taken over

    async def test_what_is_there_already_is_not_taken_over_again(self, kept: Kept) -> None:
        one = await kept.new()
        assert await kept.take_over(one, replace(one)) == {one.key: "in_flight"}
        assert await kept.take_over(one) == {}

    async def test_however_many_bytes_a_batch_has_its_lanes_are_in_order(
        self, kept: Kept, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The payloads of one event for many endpoints are inserted by several statements."""
        monkeypatch.setattr("dispatcher.store.rows.INSERTED_BYTES", 10)
        first, other, second = await kept.new(lane=LANE, seq=1), await kept.new(), await kept.new(lane=LANE, seq=2)
        taken = await kept.take_over(first, other, second, replace(first))
        assert taken == {first.key: "in_flight", other.key: "in_flight", second.key: "blocked"}

    async def test_what_is_discarded_at_once_neither_waits_in_a_lane_nor_holds_one_up(self, kept: Kept) -> None:
        first, second = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2)]
        first.state = "discarded"
        assert await kept.take_over(first, second) == {first.key: "discarded", second.key: "in_flight"}

    # Claimed

    async def test_what_is_pending_is_due_at_once_and_what_is_leased_when_the_lease_ends(self, kept: Kept) -> None:
        leased = await kept.leased()
        assert (await kept.due(), await kept.claim(leased)) == ([], [])
        pending = await kept.leased(state="pending")
        assert await kept.due() == [TO]
        assert [each.key for each in await kept.claim(pending)] == [pending.key]
        over = await kept.leased(seconds=0)
        assert [each.key for each in await kept.claim(over)] == [over.key]

    async def test_a_claimed_delivery_is_what_was_taken_over_with_one_attempt_more(self, kept: Kept) -> None:
        about: dict[str, Any] = {
            "lane": LANE, "seq": 7, "kind": "message", "to": "channel:c", "payload": b"p", "event_type": "tag.added",
            "event_id": "e", "contact_id": "c", "traceparent": "00-t", "hops": 2, "expires_at": datetime.now(UTC),
        }  # fmt: skip
        one = await kept.leased(seconds=0, **about)
        [claimed] = await kept.claim(one)
        assert claimed.lease not in (None, one.lease)
        fresh: dict[str, Any] = {
            "attempts": 2,
            "lease": claimed.lease,
            "lease_ends": claimed.lease_ends,
            "created_at": claimed.created_at,
            "cut_off": True,
        }
        assert claimed == replace(one, **fresh)

    async def test_no_more_is_claimed_than_asked_for_and_the_longest_due_first(self, kept: Kept) -> None:
        given = [await kept.leased(state="pending") for _ in range(3)]
        claimed = await kept.claim(given[0], limit=2)
        assert [each.key for each in claimed] == [each.key for each in given[:2]]
        assert [each.key for each in await kept.claim(given[0])] == [given[2].key]

    async def test_what_nobody_has_said_the_outcome_of_is_claimed_as_cut_off(self, kept: Kept) -> None:
        waiting, leased = await kept.leased(state="pending"), await kept.leased(seconds=0)
        tried = await kept.leased(seconds=0)
        await kept.record(ended(tried, "retry", delay=0.0))
        claimed = await kept.claim(waiting)
        assert {each.key: each.cut_off for each in claimed} == {waiting.key: False, leased.key: True, tried.key: False}

    async def test_a_lanes_rows_are_found_by_their_partitions_owner_only(self, kept: Kept) -> None:
        await kept.leased(lane=LANE, seq=1, state="pending")
        assert await kept.due() == []
        assert await kept.due("events/1") == []
        assert await kept.due(SOURCE) == [TO]

    async def test_queues_are_looked_at_one_project_after_the_other_and_of_each_one_destination_after_the_other(
        self, kept: Kept
    ) -> None:
        places = [Place("d1", source, "a") for source in ("x/0", "x/1", "x/2")]
        places += [Place("d2", "", "a"), Place("d3", "", "b"), Place("d4", "", "b")]
        ids = await kept.store.queue_ids(places)
        async with kept.store.session() as session:
            for ago, place in enumerate(reversed(places), 1):
                await session.look_later(Queue(ids[place], place.destination), -ago)
            found = await session.due_queues(["x/0", "x/1", "x/2"])
        assert [(each.project_id, each.destination) for each in found] == [
            ("a", "d1"), ("b", "d3"), ("a", "d2"), ("b", "d4"), ("a", "d1"), ("a", "d1"),
        ]  # fmt: skip

    async def test_a_queue_is_looked_at_again_when_its_first_row_is_due(self, kept: Kept) -> None:
        one = await kept.leased(state="pending")
        queue = Queue(one.queue_id, TO)
        async with kept.store.session() as session:
            await session.look_later(queue, 60)
            assert await session.due_queues([]) == []
            await session.look_again(queue)
            assert await session.due_queues([]) == [queue]
            await session.claim(queue, 1, Lease(60))
            await session.look_again(queue)
            assert await session.due_queues([]) == []

    async def test_a_queue_whose_look_comes_too_late_is_mended(self, kept: Kept) -> None:
        one = await kept.leased(state="pending")
        async with kept.store.session() as session:
            await session.look_later(Queue(one.queue_id, TO), 60)
            await session.sweep_queues()
            assert len(await session.due_queues([])) == 1

    # Recorded

    async def test_an_outcome_counts_only_under_the_lease_it_was_sent_under(self, kept: Kept) -> None:
        one = await kept.leased(seconds=0)
        [again] = await kept.claim(one)
        assert await kept.record(ended(one)) == set()
        assert await kept.record(ended(again)) == {one.key}
        assert await kept.record(ended(again, "exhausted")) == set()
        assert await kept.state(one) == "succeeded"

    async def test_a_retry_is_due_after_its_delay(self, kept: Kept) -> None:
        soon, late = await kept.leased(to="endpoint:soon"), await kept.leased(to="endpoint:late")
        await kept.record(ended(soon, "retry", delay=0.0), ended(late, "retry", delay=60.0))
        assert await kept.due() == ["endpoint:soon"]
        assert [each.attempts for each in await kept.claim(soon)] == [2]
        assert await kept.claim(late) == []

    async def test_a_deferral_is_no_attempt(self, kept: Kept) -> None:
        one = await kept.leased()
        await kept.record(Result(one, "deferred", delay=0.0))
        assert [each.attempts for each in await kept.claim(one)] == [1]

    async def test_a_transaction_that_fails_has_done_nothing(self, kept: Kept) -> None:
        one = await kept.leased()

        async def fails(session: Session) -> None:
            await session.record([ended(one)], [], [])
            await session.keep_results([RECORD])
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await kept.store.transaction(fails)
        async with kept.store.session() as session:
            assert await session.unpublished(timedelta(0)) == []
        assert await kept.state(one) == "in_flight"

    # Results, days, replicas

    async def test_results_are_kept_until_kafka_has_them(self, kept: Kept) -> None:
        one = await kept.leased()
        async with kept.store.session() as session:
            names = [await session.keep_results([RECORD, RECORD]) for _ in range(3)]
            assert await session.unpublished(timedelta(hours=1)) == []
            assert [each.name for each in await session.unpublished(timedelta(0))] == names
            assert (await session.unpublished(timedelta(0)))[0].outgoing == [RECORD, RECORD]
            await session.forget_results(names[:1])
            await session.record([ended(one)], [], names[1:2])
            assert [each.name for each in await session.unpublished(timedelta(0))] == names[2:]

    async def test_a_claim_takes_so_many_bytes_and_one_delivery_at_least(self, kept: Kept) -> None:
        half = bytes(CLAIMED_BYTES // 2 + 1)
        given = [await kept.new(to="endpoint:large", state="pending", payload=half) for _ in range(3)]
        await kept.take_over(*given)
        assert [len(await kept.claim(given[0])) for _ in range(3)] == [2, 1, 0]

    async def test_a_day_is_discarded_and_dropped(self, kept: Kept) -> None:
        old = TODAY - timedelta(days=40)
        async with kept.store.session() as session:
            await session.ensure_days([old, TODAY])
            await session.ensure_days([old])
            assert await session.days_before(TODAY) == [old]
            finished, unfinished = await kept.leased(day=old), await kept.leased(day=old)
            today = await kept.leased()
            await kept.record(ended(finished))
            assert [each.key for each in await session.discard_some(old, "too old")] == [unfinished.key]
            assert await session.discard_some(old, "too old") == []
            await session.drop_day(old)
            assert await session.days_before(TODAY) == []
        assert [await kept.state(each) for each in (finished, unfinished, today)] == [None, None, "in_flight"]

    async def test_the_day_is_a_day(self, kept: Kept) -> None:
        async with kept.store.session() as session:
            assert isinstance(await session.today(), date)

    async def test_replicas_that_said_so_lately_live(self, kept: Kept) -> None:
        async with kept.store.session() as session:
            assert [await session.live_replicas(name) for name in ("a", "b", "a")] == [1, 2, 2]

    async def test_it_gets_older_while_replicas_live(self, kept: Kept) -> None:
        async with kept.store.session() as session:
            await session.live_replicas("a")
            before = await session.age()
            await session.live_replicas("b")
            assert await session.age() > before
