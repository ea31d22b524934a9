"""What the statements of a broadcast's walk do: one suite, on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import pytest

from flow_engine.errors import StaleConversation
from flow_engine.state.broadcasts import RecipientChange, RecipientKey
from flow_engine.state.work import Work
from flow_engine.store.broadcast_walk import LostWalk, Step, Walk
from flow_engine.store.broadcasts import NewBroadcast
from support.conversation_store_suite import BOT, PROJECT, Kept, contact_id, conversation, key_of, with_contact

HIGHEST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
NAMES = ("Ann", "Ben", "Cleo")


class Walks(Protocol):
    """The statements, without their connection; `make` and `turn` are the API's."""

    async def ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Ask one by its name, as a transaction of its own."""
        ...


class BroadcastWalkSuite:
    """Beside ConversationStoreSuite, with its `kept` and a fixture `walks`."""

    async def test_one_process_has_a_walk(self, kept: Kept, walks: Walks) -> None:
        id = await begun(kept, walks)
        assert (await mine(walks, id, "a")).state == "running"
        assert await mine(walks, id, "b") is None

    async def test_it_goes_from_the_last_contact_to_the_first_and_no_step_is_taken_twice(
        self, kept: Kept, walks: Walks
    ) -> None:
        walk = await mine(walks, await begun(kept, walks), "a")
        persons = await walks.ask("page", walk, 2)
        ids = sorted(map(contact_id, NAMES), reverse=True)
        assert [person.id for person in persons] == ids[:2]
        keys = [contact_id(name) for name in NAMES]
        assert {key for person in persons for key in [place.key for place in person.places]} == {
            key_of(NAMES[keys.index(id)]) for id in ids[:2]
        }
        await advanced(walks, walk, ids[1])
        steps = [step(id) for id in ids[:2]]
        assert await walks.ask("note", walk.id, steps) == set(ids[:2])
        assert await walks.ask("note", walk.id, steps) == set()
        with pytest.raises(LostWalk):
            await advanced(walks, walk, ids[1])
        further = await mine(walks, walk.id, "a")
        assert [person.id for person in await walks.ask("page", further, 2)] == ids[2:]
        assert (further.sending, further.has_due) == (2, False)

    async def test_nobody_is_noted_who_is_not_there(self, kept: Kept, walks: Walks) -> None:
        walk = await mine(walks, await begun(kept, walks), "a")
        assert await walks.ask("note", walk.id, [step(str(uuid4()))]) == set()

    async def test_a_recipient_is_settled_once(self, kept: Kept, walks: Walks) -> None:
        walk, ann = await mine(walks, await begun(kept, walks), "a"), contact_id("Ann")
        await walks.ask("note", walk.id, [step(ann)])
        key = RecipientKey(walk.id, ann)
        async with kept.store.reading() as reads:
            found = (await reads.recipients([key, RecipientKey(walk.id, contact_id("Ben"))])).values()
        assert [(one.outcome, one.is_reached, one.broadcast.state) for one in found] == [("sending", False, "running")]
        await kept.save(settling(key, "started", walk.id))
        with pytest.raises(StaleConversation):
            await kept.save(settling(key, "started", walk.id))

    async def test_nothing_begins_while_it_is_paused_and_it_goes_on(self, kept: Kept, walks: Walks) -> None:
        walk, ann = await mine(walks, await begun(kept, walks), "a"), contact_id("Ann")
        await walks.ask("note", walk.id, [step(ann)])
        assert await walks.ask("turn", walk.id, "paused", ["running"])
        assert await mine(walks, walk.id, "a") is None
        for refused in (
            advanced(walks, walk, ann),
            kept.save(settling(RecipientKey(walk.id, ann), "started", walk.id)),
        ):
            with pytest.raises((LostWalk, StaleConversation)):
                await refused
        assert await walks.ask("turn", walk.id, "running", ["paused"])
        await kept.save(settling(RecipientKey(walk.id, ann), "started", walk.id))

    async def test_who_is_put_off_is_due_again_and_it_is_completed_when_nobody_waits(
        self, kept: Kept, walks: Walks
    ) -> None:
        walk, ann = await mine(walks, await begun(kept, walks), "a"), contact_id("Ann")
        past = datetime.now(UTC) - timedelta(seconds=1)
        await walks.ask("note", walk.id, [step(ann)._replace(outcome="waiting", due=past)])
        await walks.ask("complete", walk.id)
        assert (await mine(walks, walk.id, "a")).has_due
        assert [person.id for person in await walks.ask("due", walk, 5)] == [ann]
        assert await walks.ask("note", walk.id, [step(ann)._replace(is_new=False)]) == {ann}
        assert await walks.ask("due", walk, 5) == []
        await kept.save(settling(RecipientKey(walk.id, ann), "started", walk.id))
        await walks.ask("complete", walk.id)
        assert await mine(walks, walk.id, "a") is None
        assert not await walks.ask("turn", walk.id, "paused", ["running"])

    async def test_who_waits_when_it_is_cancelled_is_cancelled(self, kept: Kept, walks: Walks) -> None:
        walk, ann = await mine(walks, await begun(kept, walks), "a"), contact_id("Ann")
        past = datetime.now(UTC) - timedelta(seconds=1)
        await walks.ask("note", walk.id, [step(ann)._replace(outcome="waiting", due=past)])
        assert await walks.ask("turn", walk.id, "cancelled", ["running"])
        await walks.ask("close", walk.id, "cancelled")
        async with kept.store.reading() as reads:
            (found,) = (await reads.recipients([RecipientKey(walk.id, ann)])).values()
        assert found.outcome == "cancelled"
        assert await mine(walks, walk.id, "a") is None


async def begun(kept: Kept, walks: Walks) -> str:
    """A broadcast that runs, to three people; its id."""
    for name in NAMES:
        of = conversation(name, contact=contact_id(name))
        await kept.save(with_contact(name, of, profile={"name": name}))
    now, id = datetime.now(UTC), str(uuid4())
    new = NewBroadcast(
        id, PROJECT, BOT, "flow-1", None, b"{}", None, None, None, 500.0, None, now, now + timedelta(hours=1), None
    )
    await walks.ask("make", new)
    assert await mine(walks, id, "a") is not None
    await walks.ask("begin", id, HIGHEST)
    return id


async def mine(walks: Walks, id: str, owner: str) -> Any:
    """The broadcast as this process has it, if it does."""
    await walks.ask("lease", owner, 50)
    return next((walk for walk in await walks.ask("mine", owner, 40) if walk.id == id), None)


async def advanced(walks: Walks, walk: Walk, last: str) -> None:
    await walks.ask("advance", "a", walk, last, walked=False, spent=0.0, most=1.0)


def step(contact: str) -> Step:
    return Step(contact, "sending", None, str(uuid4()), None, is_new=True)


def settling(key: RecipientKey, outcome: str, *begun: str) -> Work:
    return Work(recipient_changes={key: RecipientChange(*key, 0, outcome)}, begun=set(begun))
