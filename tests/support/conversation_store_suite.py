"""What every ConversationStore does: one suite, on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from contracts.ids import derived_id
from contracts.inbound import ReplyTo
from flow_engine.errors import StaleConversation
from flow_engine.state.ids import as_uuid, conversation_id, timer_id
from flow_engine.state.limits import encoded_state
from flow_engine.state.rows import Identity, LogRow, MessageRow, TimerRow
from flow_engine.state.work import LoadedConversation, NewContact, Work
from flow_engine.store.port import (
    BACKLOG_BYTES,
    BACKLOG_LIMIT,
    Conversations,
    ConversationStore,
    Name,
    StoredConversation,
)
from flowlang.model import Contact, Conversation, PatchContact, Session
from servicekit.kafka.records import Record

AT = "2026-11-21T00:01:00.000Z"
THEN = datetime(2026, 11, 21, 0, 1, tzinfo=UTC)
BOT, WEB, TELEGRAM, PROJECT = "bot-1", "web-1", "tg-1", "project-1"


@dataclass
class Kept:
    """A store under test. `transaction` gives what `save` takes as its connection."""

    store: ConversationStore
    transaction: Callable[[], AbstractAsyncContextManager[Any]]

    async def save(self, work: Work) -> None:
        async with self.transaction() as connection:
            await self.store.save(work, connection)

    async def load(self, key: str) -> StoredConversation:
        async with self.store.reading() as reads:
            return (await reads.conversations([key]))[key]

    async def contact(self, key: str) -> Contact:
        found = (await self.load(key)).contact
        assert found is not None
        return found

    async def named(self, *names: Name) -> dict[Name, Conversations]:
        async with self.store.reading() as reads:
            return await reads.named(names)

    async def hold(self, key: str, offset: int, error: str = "KeyError: a bug") -> None:
        async with self.transaction() as connection:
            await self.store.hold(record(key, offset), key, error, connection)


def key_of(peer: str, channel: str = WEB) -> str:
    return f"{BOT}/{channel}/{peer}"


def contact_id(name: str) -> str:
    return derived_id("contact", name)


def record(key: str, offset: int) -> Record:
    return Record("inbound", 2, offset, 1_700_000_000_000, key.encode(), b"{}", (("ce_id", b"e1"), ("odd", None)))


def conversation(peer: str = "1", *, channel: str = WEB, read: int | None = None, **fields: Any) -> LoadedConversation:
    """A conversation after a turn: one version further than what was read."""
    key = key_of(peer, channel)
    made = Conversation(key, PROJECT, BOT, channel, "webchat", peer, fields.pop("contact", ""), (read or 0) + 1)
    for name, value in fields.items():
        setattr(made, name, value)
    return LoadedConversation(conversation_id(key), made, read, state=encoded_state(made, AT))


def work_of(*loaded: LoadedConversation) -> Work:
    return Work(conversations={one.conversation.key: one for one in loaded})


def with_contact(name: str, *loaded: LoadedConversation, profile: dict[str, Any], bot: str = BOT) -> Work:
    """The batch that makes a contact and its conversations."""
    work, id = work_of(*loaded), contact_id(name)
    work.new_contacts[id] = NewContact(PROJECT, bot, THEN)
    work.contacts[id] = Contact(id, profile, {"points": 1}, ["new"], [])
    return work


def verifying(work: Work, contact: str, *, bot: str = BOT, **identifiers: str) -> Work:
    """The batch, in which somebody vouches for these identifiers of a contact, too."""
    work.verified += [Identity(bot, kind, value, contact) for kind, value in identifiers.items()]
    return work


def message(of: LoadedConversation, seq: int, text: str, *, sender: str = "bot") -> MessageRow:
    content = f'{{"text":"{text}"}}'.encode()
    return MessageRow(of.id, seq, seq << 8, sender, derived_id("message", of.id, seq, sender), THEN, content, BOT)


def timer(wait: str, due: datetime, *, part: int = 3) -> TimerRow:
    key = key_of("1")
    return TimerRow(timer_id(key, wait), part, key, PROJECT, wait, due)


class ConversationStoreSuite:
    """Test classes inherit it and give a `kept` fixture."""

    async def test_what_nobody_has_heard_of_is_not_there(self, kept: Kept) -> None:
        assert await kept.load(key_of("1")) == StoredConversation(None, None, False)
        assert await kept.store.event("unheard-of") is None
        async with kept.store.reading() as reads:
            assert await reads.timers([timer_id(key_of("1"), "w")]) == set()
            assert await reads.backlog(conversation_id(key_of("1")), 0) == []
            assert await reads.outcomes(["unheard-of"]) == {}
            assert await reads.held_counts([conversation_id(key_of("1"))]) == {}

    async def test_a_conversation_comes_back_as_it_was_saved(self, kept: Kept) -> None:
        new = conversation(next_seq=5, last_message="hi", reachable="subscribed")
        new.seen, new.last_user_at = b"0123456789", THEN
        new.listeners.add_caller(ReplyTo(instance="i", partition=1, request_id="r"), event_id="e", at_ms=1, is_url=True)
        await kept.save(work_of(new))
        found = (await kept.load(key_of("1"))).loaded
        assert found is not None
        assert (found.conversation, found.read_version, found.seen) == (new.conversation, 1, new.seen)
        assert (found.listeners, found.last_user_at, found.held, found.state) == (new.listeners, THEN, False, None)
        await kept.save(work_of(conversation(read=1, next_seq=6)))
        again = (await kept.load(key_of("1"))).loaded
        assert again is not None
        assert (again.read_version, again.conversation.next_seq, again.listeners.callers) == (2, 6, [])

    @pytest.mark.parametrize("read", [None, 1, 7])
    async def test_a_row_that_another_owner_changed_is_not_overwritten_and_nothing_else_is_kept(
        self, kept: Kept, read: int | None
    ) -> None:
        await kept.save(work_of(conversation()))
        await kept.save(work_of(conversation(read=1)))
        late, other = conversation(read=read, last_message="late"), conversation("2")
        work = work_of(late, other)
        work.messages.append(message(other, 1, "lost"))
        with pytest.raises(StaleConversation):
            await kept.save(work)
        found = (await kept.load(key_of("1"))).loaded
        assert found is not None
        assert (found.read_version, found.conversation.last_message) == (2, None)
        assert (await kept.load(key_of("2"))).loaded is None
        async with kept.store.reading() as reads:
            assert await reads.backlog(other.id, 0) == []

    async def test_a_contact_is_made_whole(self, kept: Kept) -> None:
        id = contact_id("anna")
        profile = {"name": "Anna\x00", "email": "a@example.com", "external_id": "c\x007", "unheard_of": 1}
        await kept.save(with_contact("anna", conversation(contact=id), profile=profile))
        known = {"name": "Anna", "email": "a@example.com", "external_id": "c7"}
        assert await kept.contact(key_of("1")) == Contact(id, known, {"points": 1}, ["new"], [])

    async def test_a_contact_is_changed_by_attribute_and_not_overwritten(self, kept: Kept) -> None:
        id = contact_id("anna")
        profile = {"name": "Anna", "city": "Riga", "phone": "+1"}
        await kept.save(with_contact("anna", conversation(contact=id), profile=profile))
        first, second = Work(), Work()
        first.patch(id, PatchContact({"profile.city": None, "variables.age": 30}, ("vip", "new"), (), ("seen",)))
        second.patch(id, PatchContact({"profile.phone": None, "profile.email": "a@b.c", "variables.points": None}))
        second.patch(id, PatchContact({"variables.x\x00": "a\x00b"}, (), ("new", "never had")))
        await kept.save(first)
        await kept.save(second)
        known = {"name": "Anna", "email": "a@b.c"}
        assert await kept.contact(key_of("1")) == Contact(id, known, {"age": 30, "x": "ab"}, ["vip"], ["seen"])

    async def test_a_change_of_a_contact_that_is_gone_does_nothing(self, kept: Kept) -> None:
        work = Work()
        work.patch(contact_id("nobody"), PatchContact({"profile.city": "Riga"}))
        await kept.save(work)

    async def test_contacts_are_found_by_their_verified_identifiers_and_not_by_what_was_claimed(
        self, kept: Kept
    ) -> None:
        anna, ben, foreign = contact_id("anna"), contact_id("ben"), contact_id("foreign")
        older, newer = conversation("1", contact=anna), conversation("2", channel=TELEGRAM, contact=anna)
        older.last_user_at, newer.last_user_at = THEN, THEN + timedelta(hours=1)
        never = conversation("0", contact=anna)
        both = {"email": "a@example.com", "phone": "+371"}
        await kept.save(verifying(with_contact("anna", older, newer, never, profile=both), anna, email="a@example.com"))
        await kept.save(verifying(with_contact("ben", profile={"phone": "+371"}), ben, external_id="b"))
        foreigner = with_contact("foreign", profile={"email": "a@example.com"}, bot="bot-2")
        await kept.save(verifying(foreigner, foreign, bot="bot-2", email="a@example.com"))
        keys = [key_of("2", TELEGRAM), key_of("1"), key_of("0")]
        expected = {
            Name(BOT, "email", "a@example.com"): keys, Name(BOT, "external_id", "b"): [],
            Name("bot-2", "contact_id", foreign): [], Name("bot-2", "email", "a@example.com"): [],
            Name(BOT, "contact_id", anna): keys,
        }  # fmt: skip
        nobody = [Name(BOT, "phone", "+371"), Name(BOT, "contact_id", foreign), Name(BOT, "email", "nobody")]
        assert await kept.named(*expected, *nobody) == expected

    async def test_an_identifier_is_whose_it_was_verified_last_and_replaces_the_one_before(self, kept: Kept) -> None:
        anna, ben = contact_id("anna"), contact_id("ben")
        await kept.save(with_contact("anna", conversation("1", contact=anna), profile={}))
        await kept.save(with_contact("ben", conversation("2", contact=ben), profile={}))
        old, new = Name(BOT, "phone", "+49170"), Name(BOT, "phone", "+49171")
        await kept.save(verifying(verifying(Work(), anna, phone=old.value), anna, phone=new.value))
        assert await kept.named(old, new) == {new: [key_of("1")]}
        for _ in range(2):
            await kept.save(verifying(Work(), ben, phone=new.value, email="b@example.com"))
        assert await kept.named(new, Name(BOT, "email", "b@example.com")) == {
            new: [key_of("2")], Name(BOT, "email", "b@example.com"): [key_of("2")]
        }  # fmt: skip
        await kept.save(verifying(Work(), contact_id("gone"), phone=new.value))
        assert await kept.named(new) == {new: [key_of("2")]}

    async def test_a_backlog_has_what_the_bot_said_since(self, kept: Kept) -> None:
        of = conversation()
        work = work_of(of)
        work.messages = [message(of, 0, "hello", sender="person"), *(message(of, n, f"m{n}") for n in range(1, 206))]
        await kept.save(work)
        async with kept.store.reading() as reads:
            last, many = await reads.backlog(of.id, 203), await reads.backlog(of.id, 0)
        assert [(m["seq"], m["content"], m["at"]) for m in last] == [
            (204, {"text": "m204"}, AT), (205, {"text": "m205"}, AT)
        ]  # fmt: skip
        assert [m["seq"] for m in many] == list(range(1, BACKLOG_LIMIT + 1))

    async def test_a_backlog_has_no_more_bytes_than_a_reply_but_for_one_message(self, kept: Kept) -> None:
        of = conversation()
        work, text = work_of(of), "x" * (BACKLOG_BYTES // 3)
        work.messages = [message(of, seq, text * (4 if seq == 4 else 1)) for seq in range(1, 8)]
        await kept.save(work)
        async with kept.store.reading() as reads:
            found = [[m["seq"] for m in await reads.backlog(of.id, after)] for after in (0, 2, 3, 4)]
        assert found == [[1, 2], [3], [4], [5, 6]]

    async def test_the_versions_that_conversations_stand_on_are_found_wherever_a_conversation_names_them(
        self, kept: Kept
    ) -> None:
        """Its session, those that wait below it, and its buttons; not what a person wrote that looks like it."""
        now, below = Session("stands", 1, "e", "e", AT, AT), [Session("stands", 2, "e", "e", AT, AT)]
        taps = {"4": {"flow_id": "taps", "flow_version": 3, "node": "n"}}
        wrote = '{"flow_id":"written","flow_version":4}'
        first, second = conversation("1", session=now, last_message=wrote), conversation("2", stack=below, taps=taps)
        await kept.save(work_of(first, second, conversation("3")))
        found, after, seen = set[str](), None, 0
        while True:
            some, after = await kept.store.stood_on(after, 1)
            if after is None:
                break
            found, seen = found | some, seen + 1
        assert {"stands/1", "stands/2", "taps/3"} <= found
        assert not any(version.startswith("written") for version in found)
        assert seen >= 3
        assert await kept.store.stood_on(None, 10_000) == (found, ANY)

    async def test_what_is_retired_stays_so_and_a_restored_registry_may_know_better(self, kept: Kept) -> None:
        assert await kept.store.retire(1, {"a": 3, "b": 5})
        assert not await kept.store.retire(1, {"a": 2, "b": 5})
        assert await kept.store.retire(1, {"a": 4})
        assert await kept.store.retire(2, {"b": 1})
        async with kept.transaction() as connection:
            assert await kept.store.retired(connection) == {"a": (1, 4), "b": (2, 1)}

    async def test_the_event_log_has_an_event_and_what_became_of_it_later(self, kept: Kept) -> None:
        of, id = conversation(), "a foreign id"
        work = work_of(of)
        work.messages = [message(of, seq, f"m{seq}") for seq in (1, 2, 3)]
        work.add_log_row(LogRow(as_uuid(id), PROJECT, of.id, "started", b'{"seqs":[1,2],"trigger_id":"t"}'))
        await kept.save(work)
        later = Work()
        later.change_log(as_uuid(id), "waiting", b'{"seqs":[2,3]}')
        later.change_log(as_uuid(id), "completed", b'{"answer":"m3"}')
        later.change_log(as_uuid("never logged"), "completed", b"{}")
        await kept.save(later)
        found = await kept.store.event(id)
        assert found is not None
        assert (found.project_id, found.conversation, found.status) == (PROJECT, of.id, "completed")
        assert found.parts == [{"seqs": [1, 2], "trigger_id": "t"}, {"seqs": [2, 3]}, {"answer": "m3"}]
        assert [m["seq"] for m in found.messages] == [1, 2, 3]
        async with kept.store.reading() as reads:
            outcomes = await reads.outcomes([id, "never logged"])
        assert list(outcomes) == [id]
        assert (outcomes[id].status, outcomes[id].answer, len(outcomes[id].messages)) == ("completed", "m3", 3)

    async def test_an_event_that_is_logged_again_keeps_its_first_row(self, kept: Kept) -> None:
        for status in ("rejected", "completed"):
            work = Work()
            work.add_log_row(LogRow(as_uuid("e"), PROJECT, None, status, b'{"problem":{"type":"x"}}'))
            await kept.save(work)
        found = await kept.store.event("e")
        assert found is not None
        assert (found.status, found.conversation, found.messages) == ("rejected", None, [])

    async def test_held_events_wait_in_order_until_they_are_applied(self, kept: Kept) -> None:
        key = key_of("1")
        await kept.hold(key, 10)
        assert await kept.load(key) == StoredConversation(None, None, True)
        work = work_of(conversation())
        work.held = {key: [record(key, 11), record(key, 12)], key_of("2"): [record(key_of("2"), 13)]}
        await kept.save(work)
        loaded = (await kept.load(key)).loaded
        assert loaded is not None
        assert loaded.held
        async with kept.store.reading() as reads:
            first, second = await reads.held(loaded.id, 2)
            assert await reads.held_counts([loaded.id, conversation_id("b/c/9")]) == {loaded.id: 3}
            assert [one.record_ms for one in await reads.held(loaded.id, 9, second.position)] == [1_700_000_000_000]
        assert first.position < second.position
        assert (first.key, first.value, first.record_ms) == (key.encode(), b"{}", 1_700_000_000_000)
        assert tuple(map(tuple, first.headers)) == (("ce_id", b"e1"), ("odd", None))
        applied = Work(redriven=[(loaded.id, first.position), (loaded.id, second.position)])
        await kept.save(applied)
        async with kept.store.reading() as reads:
            assert await reads.held_counts([loaded.id]) == {loaded.id: 1}
            (left,) = await reads.held(loaded.id, 100)
            assert left.position > second.position

    async def test_held_conversations_are_listed_and_what_waits_in_them_is_discarded(self, kept: Kept) -> None:
        for offset, peer in enumerate("123"):
            await kept.hold(key_of(peer), offset)
        key, id = key_of("1"), conversation_id(key_of("1"))
        await kept.save(Work(held={key: [record(key, 11), record(key, 12)]}))
        ids = sorted(conversation_id(key_of(peer)) for peer in "123")
        first = await kept.store.held_conversations(None, 2)
        rest = await kept.store.held_conversations(first[-1].conversation, 2)
        assert [one.conversation for one in [*first, *rest]] == ids
        shown = {one.key: (one.events, one.error) for one in [*first, *rest]}
        assert shown == {key_of(peer): (3 if peer == "1" else 1, "KeyError: a bug") for peer in "123"}
        failed, second, third = await kept.store.held_events(id, None, 9)
        assert [one.error for one in (failed, second, third)] == ["KeyError: a bug", None, None]
        async with kept.transaction() as connection:
            await kept.store.held_failed(id, second.position, "KeyError: another", connection)
        assert (await kept.store.held_events(id, failed.position, 1))[0].error == "KeyError: another"
        assert await kept.store.discard_held(id, [failed.position, 0]) == 1
        assert [one.position for one in await kept.store.held_events(id, None, 9)] == [second.position, third.position]
        assert await kept.store.discard_held(id, None) == 2
        assert not (await kept.load(key)).held

    async def test_a_timer_whose_record_is_gone_is_found_again_unless_its_conversation_is_held(
        self, kept: Kept
    ) -> None:
        lost, coming = timer("lost", THEN), timer("coming", datetime.now(UTC) + timedelta(hours=1))
        work = Work()
        work.start_timers([lost, coming])
        await kept.save(work)
        assert await kept.store.lost_timers([3, 4], -60) == []
        async with kept.transaction() as connection:
            await kept.store.fire_timers(3, 9, connection, 9)
        assert await kept.store.lost_timers([3, 4], 60) == []
        assert await kept.store.lost_timers([3, 4], -60) == [3]
        async with kept.transaction() as connection:
            assert [one.id for one in await kept.store.fire_lost_timers(3, 9, -60, connection)] == [lost.id]
            assert await kept.store.fire_lost_timers(3, 9, 60, connection) == []
        await kept.hold(key_of("1"), 10)
        assert await kept.store.lost_timers([3], -60) == []

    async def test_a_timer_that_is_due_fires_once_and_stays_until_it_is_applied(self, kept: Kept) -> None:
        now = datetime.now(UTC)
        early, late = timer("early", now - timedelta(hours=2)), timer("late", now - timedelta(hours=1))
        coming, elsewhere = timer("coming", now + timedelta(hours=1)), timer("elsewhere", THEN, part=4)
        work = Work()
        work.start_timers([late, coming, early, elsewhere])
        await kept.save(work)
        (here, nowhere) = await kept.store.due_timers([3, 5])
        assert (here.part, here.due, here.seconds is not None and here.seconds < 0) == (3, 2, True)
        assert (nowhere.part, nowhere.due, nowhere.seconds) == (5, 0, None)
        async with kept.transaction() as connection:
            (fired,) = await kept.store.fire_timers(3, 1, connection, 1)
        assert (fired.id, fired.key, fired.project_id, fired.wait) == (early.id, key_of("1"), PROJECT, "early")
        async with kept.transaction() as connection:
            assert [one.wait for one in await kept.store.fire_timers(3, 9, connection, 9)] == ["late"]
        (here,) = await kept.store.due_timers([3])
        assert (here.due, here.seconds is not None and 3000 < here.seconds <= 3600) == (0, True)
        async with kept.store.reading() as reads:
            assert await reads.timers([early.id, late.id, timer_id("b/c/9", "x")]) == {early.id, late.id}
        applied = Work()
        applied.end_timers({early.id, coming.id})
        await kept.save(applied)
        async with kept.store.reading() as reads:
            assert await reads.timers([early.id, late.id, coming.id]) == {late.id}

    async def test_a_timer_that_is_started_again_fires_again(self, kept: Kept) -> None:
        now = datetime.now(UTC)
        for _ in range(2):
            work = Work()
            work.start_timers([timer("again", now - timedelta(hours=1))])
            await kept.save(work)
            async with kept.transaction() as connection:
                assert len(await kept.store.fire_timers(3, 9, connection, 9)) == 1
