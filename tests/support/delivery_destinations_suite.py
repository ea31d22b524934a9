"""What every DeliveryStore knows of destinations: one suite, on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

from dispatcher.model.delivery import OPENS_AFTER
from dispatcher.store.port import Lease, Pause, Queue, Session
from support.delivery_store_suite import DISABLE_AFTER, TO, Kept, ended


class DestinationsSuite:
    """Test classes inherit it and give a `kept` fixture."""

    async def test_failures_are_counted_until_a_success(self, kept: Kept) -> None:
        async def failing(session: Session) -> tuple[bool, bool]:
            [one] = await session.note_failures({TO: 2}, timedelta(0))
            return one.told, one.too_long

        async with kept.store.session() as session:
            await session.note_failures({TO: 1}, DISABLE_AFTER)
            assert await failing(session) == (False, True)
            await session.note_told([TO])
            assert await failing(session) == (True, True)
            [recently] = await session.note_failures({TO: 1}, DISABLE_AFTER)
            assert not recently.too_long
            await session.record([ended(await kept.leased())], [TO], [])
            assert (await session.note_failures({TO: 1}, DISABLE_AFTER))[0].told is False

    async def test_it_is_told_once_that_a_destination_works_again_after_failures_that_open_a_circuit(
        self, kept: Kept
    ) -> None:
        async with kept.store.session() as session:
            await session.note_failures({TO: 4, "endpoint:e2": OPENS_AFTER}, DISABLE_AFTER)
            ends = [ended(await kept.leased()) for _ in range(3)]
            assert (await session.record([ends[0]], [TO], [])).recovered == set()
            assert await session.record([ends[1]], ["endpoint:e2"], []) == ({ends[1].delivery.key}, {"endpoint:e2"})
            assert (await session.record([ends[2]], ["endpoint:e2"], [])).recovered == set()

    async def test_the_longer_pause_counts_and_ends_for_its_reason_only(self, kept: Kept) -> None:
        one = await kept.leased(state="pending")
        async with kept.store.session() as session:
            await session.look_later(Queue(one.queue_id, TO), 60)
            await session.pause([Pause("endpoint:e2", 30, "gone"), Pause(TO, 600, "gone")])
            await session.pause([Pause(TO, 60, "failing")])
            assert 500 < (await session.pauses())[TO] <= 600
            await session.resume([TO], ["gone"])
            assert set(await session.pauses()) == {TO, "endpoint:e2"}
            await session.resume([TO], ["gone", "failing"])
            assert set(await session.pauses()) == {"endpoint:e2"}
            assert await session.due_queues([]) == []
            await session.look_now([TO])
            assert [queue.destination for queue in await session.due_queues([])] == [TO]

    async def test_what_was_put_off_goes_on_at_once_when_its_destination_is_resumed(self, kept: Kept) -> None:
        """Seen: a message waited up to 15 s after its channel was active again."""
        one, retried = await kept.leased(), await kept.leased()
        await kept.record(ended(one, "deferred", delay=15.0), ended(retried, "retry", delay=15.0))
        queue = Queue(one.queue_id, TO)
        async with kept.store.session() as session:
            assert await session.claim(queue, 9, Lease(60)) == []
            await session.resume([TO], ["unauthorized"])
            assert [each.key for each in await session.claim(queue, 9, Lease(60))] == [one.key]

    async def test_a_pause_for_one_reason_begins_once(self, kept: Kept) -> None:
        async with kept.store.session() as session:
            assert await session.pause([Pause("endpoint:e2", 0, "gone"), Pause(TO, 600, "gone")]) == {"endpoint:e2", TO}
            assert await session.pause([Pause("endpoint:e2", 60, "gone"), Pause(TO, 600, "gone")]) == {"endpoint:e2"}
            assert await session.pause([Pause(TO, 60, "failing")]) == {TO}
            await session.resume([TO], ["failing"])
            assert await session.pause([Pause(TO, 60, "failing")]) == {TO}

    async def test_a_pause_ends_by_itself(self, kept: Kept) -> None:
        async with kept.store.session() as session:
            await session.pause([Pause(TO, 0, None)])
            assert await session.pauses() == {}
