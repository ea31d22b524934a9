"""What every DeliveryStore does with lanes: one suite, on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from dispatcher.model.delivery import Delivery
from dispatcher.store.port import STRETCH_BYTES
from support.delivery_store_suite import LANE, SOURCE, TO, TODAY, Kept, ended


class LanesSuite:
    """Test classes inherit it and give a `kept` fixture."""

    async def test_of_a_lane_only_the_head_is_leased_also_in_one_batch(self, kept: Kept) -> None:
        first, second, third = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2, 3)]
        assert await kept.take_over(first, second) == {first.key: "in_flight", second.key: "blocked"}
        assert await kept.take_over(third) == {third.key: "blocked"}

    async def test_a_lanes_next_one_is_leased_when_all_before_it_have_ended(self, kept: Kept) -> None:
        first, second = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2)]
        await kept.take_over(first)
        await kept.record(ended(first))
        assert await kept.take_over(second) == {second.key: "in_flight"}

    async def test_of_a_lane_the_next_one_is_leased_when_the_head_has_ended(self, kept: Kept) -> None:
        head, *others = [await kept.new(lane=LANE, seq=seq, to="endpoint:e2") for seq in (1, 2, 3)]
        await kept.take_over(head, *others)
        assert await kept.unblock(LANE) == []
        await kept.record(ended(head))
        assert await kept.unblock("another") == []
        [following] = await kept.unblock(LANE)
        assert (following.key, following.destination, following.attempts) == (others[0].key, "endpoint:e2", 1)
        assert await kept.unblock(LANE) == []

    async def test_of_a_lane_so_many_are_leased_together_and_those_behind_the_head_are_as_they_were(
        self, kept: Kept
    ) -> None:
        head, *others = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2, 3, 4, 5)]
        await kept.take_over(head, *others)
        await kept.record(ended(head))
        [first] = await kept.unblock(LANE, most=3)
        stretch = [first, *first.following]
        assert [(each.key, each.attempts) for each in stretch] == [(each.key, 1) for each in others[:3]]
        assert [await kept.state(each) for each in others] == ["in_flight", "blocked", "blocked", "blocked"]
        assert await kept.claim(head) == [], "only the head is ever due"
        assert await kept.record(*map(ended, stretch[:2])) == {each.key for each in stretch[:2]}
        await kept.take_lanes()
        assert [each.key for each in await kept.claim(head)] == [others[2].key]
        assert await kept.record(ended(stretch[2])) == set(), "its lease is another's"

    async def test_what_was_taken_over_behind_a_head_is_recorded_under_its_lease(self, kept: Kept) -> None:
        head, following = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2)]
        await kept.take_over(head, following)
        assert await kept.record(ended(head), ended(following)) == {head.key, following.key}

    async def test_a_stretch_ends_before_what_is_not_blocked(self, kept: Kept) -> None:
        head, *others = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2, 3, 4)]
        await kept.take_over(head, *others)
        await kept.record(ended(head), ended(others[1], "retry", delay=60.0))
        [first] = await kept.unblock(LANE, most=8)
        assert (first.key, first.following) == (others[0].key, ())

    async def test_a_stretch_takes_so_many_bytes_and_its_first_one_whatever_its_size(self, kept: Kept) -> None:
        head, *others = [
            await kept.new(lane=LANE, seq=seq, payload=bytes(size))
            for seq, size in enumerate((1, STRETCH_BYTES // 2, STRETCH_BYTES // 2, 1, STRETCH_BYTES + 1, 1))
        ]
        await kept.take_over(head, *others)
        lengths = []
        ending: tuple[Delivery, ...] = (head,)
        while True:
            await kept.record(*map(ended, ending))
            if not (leased := await kept.unblock(LANE, most=8)):
                break
            ending = (leased[0], *leased[0].following)
            lengths.append(len(ending))
        assert lengths == [2, 1, 1, 1]

    async def test_a_lane_keeps_its_order_however_old_its_rows_are(self, kept: Kept) -> None:
        """Seen: after a week new ones no longer saw those that wait, and nothing waited for its turn any more."""
        old = TODAY - timedelta(days=20)
        async with kept.store.session() as session:
            await session.ensure_days([old])
        head, second = [await kept.new(lane=LANE, seq=seq, day=old) for seq in (1, 2)]
        assert await kept.take_over(head, second) == {head.key: "in_flight", second.key: "blocked"}
        async with kept.store.session() as session:
            await session.sweep_lanes()
        third = await kept.new(lane=LANE, seq=3)
        assert await kept.take_over(third) == {third.key: "blocked"}
        await kept.record(ended(head))
        assert [each.key for each in await kept.unblock(LANE)] == [second.key]
        async with kept.store.session() as session:
            await session.drop_day(old)

    async def test_a_head_that_waits_for_its_retry_holds_up_its_lane(self, kept: Kept) -> None:
        head, following = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2)]
        await kept.take_over(head, following)
        await kept.record(ended(head, "retry", delay=60.0))
        assert await kept.unblock(LANE) == []

    async def test_what_the_bot_has_not_said_when_its_conversation_changes_hands_is_marked_and_due(
        self, kept: Kept
    ) -> None:
        def said(**more: Any) -> dict[str, Any]:
            return {"kind": "message", "lane": LANE, "payload": orjson.dumps({"text": "x", **more})}

        head = await kept.new(seq=1, **said())
        agents = await kept.new(seq=2, **said(agent_id="a1", owner_epoch=1))
        behind = await kept.new(seq=3, **said(owner_epoch=1))
        later = await kept.new(seq=4, **said(owner_epoch=2))
        await kept.take_over(head, agents, behind, later)
        assert await kept.supersede(LANE, 2) == {head.key}
        await kept.record(ended(head, "retry", delay=60.0))
        assert await kept.supersede(LANE, 2) == set()
        [again] = await kept.claim(head)
        assert (again.key, again.superseded) == (head.key, True)
        found = []
        for one in (agents, behind, later):
            await kept.record(ended(again))
            [again] = await kept.unblock(LANE)
            found.append((again.key == one.key, again.superseded))
        assert found == [(True, False), (True, True), (True, False)]

    async def test_what_the_new_owner_of_a_lane_is_sending_itself_goes_on(self, kept: Kept) -> None:
        head = await kept.leased(lane=LANE, seq=1)
        await kept.take_lanes(head)
        assert await kept.state(head) == "in_flight"
        await kept.take_lanes()
        assert await kept.state(head) == "retrying"
        assert await kept.due(SOURCE) == [TO]

    async def test_the_new_owner_of_a_lane_claims_its_head_before_the_lease_of_the_former_one_ends(
        self, kept: Kept
    ) -> None:
        head, following = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2)]
        await kept.take_over(head, following)
        await kept.take_lanes()
        assert [each.key for each in await kept.claim(head)] == [head.key]

    async def test_the_new_owner_of_a_lane_claims_what_the_former_one_had_to_unblock(self, kept: Kept) -> None:
        head, following = [await kept.new(lane=LANE, seq=seq) for seq in (1, 2)]
        await kept.take_over(head, following)
        await kept.record(ended(head))
        await kept.take_lanes()
        assert [each.key for each in await kept.claim(following)] == [following.key]
