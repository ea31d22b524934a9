"""One project takes what it can get, and another still gets its own."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from servicekit.shares import Places, Shares, Turns
from support.waiting import eventually


def take_all(shares: Shares, *projects: str) -> Counter[str]:
    """What each gets when they ask in turn until nobody gets more."""
    got: Counter[str] = Counter()
    while any(shares.may_take(each) for each in projects):
        for each in projects:
            if shares.may_take(each):
                shares.take(each)
                got[each] += 1
    return got


def test_one_project_takes_half_and_what_is_left_is_for_others() -> None:
    shares = Shares(100)
    assert take_all(shares, "a") == {"a": 50}
    assert take_all(shares, "b") == {"b": 25}
    assert take_all(Shares(100), "a", "b", "c") == {"a": 25, "b": 25, "c": 25}


def test_who_holds_much_gives_way_as_its_places_come_back() -> None:
    shares = Shares(100)
    take_all(shares, "a")
    take_all(shares, "b")
    for _ in range(5):
        shares.give("a")
    assert not shares.may_take("a")
    assert shares.may_take("b")


@given(most=st.integers(1, 64), hogs=st.integers(0, 5))
def test_whoever_holds_nothing_gets_a_place_while_one_is_free(most: int, hogs: int) -> None:
    shares = Shares(most)
    take_all(shares, *map(str, range(hogs)))
    assert shares.may_take("new") == (shares.used < most)
    assert shares.used < most or hogs >= most


def test_a_smaller_part_can_be_asked_for() -> None:
    shares = Shares(8)
    for _ in range(3):
        shares.take("a")
    assert (shares.may_take("a", 6), shares.may_take("a")) == (False, True)


def test_turns_go_round_the_projects() -> None:
    turns: Turns[int] = Turns()
    for number, project in enumerate("aaabab"):
        turns.add(project, number)
    given = [turns.next(lambda _: True) for _ in range(7)]
    assert given == [("a", 0), ("b", 3), ("a", 1), ("b", 5), ("a", 2), ("a", 4), None]


def test_who_may_not_is_passed_over_and_keeps_its_turn() -> None:
    turns: Turns[int] = Turns()
    for number, project in enumerate("abcb"):
        turns.add(project, number)
    given = [turns.next(lambda project: project != "a") for _ in range(4)]
    assert given == [("b", 1), ("c", 2), ("b", 3), None]
    assert turns.next(lambda _: True) == ("a", 0)


class World:
    """Work that ends when the test says so."""

    def __init__(self, most: int) -> None:
        self.places, self.begun, self.ends = Places(most), list[str](), asyncio.Event()

    async def work(self, project: str) -> None:
        async with self.places.of(project):
            self.begun.append(project)
            await self.ends.wait()


async def test_a_project_that_holds_all_it_may_does_not_keep_another_waiting() -> None:
    world = World(4)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(world.work("a"))
        await eventually(lambda: len(world.begun) == 2)
        tasks.create_task(world.work("b"))
        await eventually(lambda: world.begun == ["a", "a", "b"])
        world.ends.set()
    assert Counter(world.begun) == {"a": 10, "b": 1}


async def test_who_gives_up_waiting_takes_no_place() -> None:
    world = World(1)
    first = asyncio.create_task(world.work("a"))
    await eventually(lambda: world.begun)
    waiting = [asyncio.create_task(world.work("a")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    world.ends.set()
    await asyncio.gather(first, *waiting, return_exceptions=True)
    async with asyncio.timeout(15), world.places.of("b"):
        assert world.begun == ["a", "a", "a"]
