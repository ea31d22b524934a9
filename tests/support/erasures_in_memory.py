"""What store.erasures does, on the twin of PostgresConversations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.ids import NOBODY, split_conversation_key
from flow_engine.errors import StaleContact
from flow_engine.state.ids import conversation_id
from flow_engine.state.work import Begun, Erased, Erasing, PersonKept, Work
from flow_engine.store.erasures import job_of, name_key
from flow_engine.store.held_of_person import without
from flow_engine.store.port import EVENT, HeldEvent, Unfinished

if TYPE_CHECKING:
    from support.conversations_in_memory import ConversationsInMemory

_BOTH = {"flow-engine", "dispatcher"}


def erase(work: Work, store: ConversationsInMemory) -> None:
    """What a batch erases."""
    for id, key in work.erasures_done:
        job = store.erasures.get(id, {})
        for by in job.values() if key is None else [job.get(key, set())]:
            by.add("dispatcher")
    if (erasing := work.erasing) is None:
        return
    if erasing.person is not None:
        _begin(erasing, erasing.person, store)
    if not erasing.is_repeat:
        _erase_key(erasing, store)
        store.erased[erasing.key] = Erased(erasing.before, erasing.version, erasing.next_seq, erasing.seen)
    store.erasures.get(erasing.erasure, {}).get(erasing.key, set()).add("flow-engine")


def begun(store: ConversationsInMemory, id: str) -> Begun | None:
    """An erasure that was begun; in memory nothing of it is lost."""
    return Begun(store.erased_contacts[id], ()) if id in store.erasures else None


def oldest(store: ConversationsInMemory) -> Unfinished | None:
    """Which has been under way for longest."""
    under_way = [(at, id) for id, at in store.asked_at.items() if any(by < _BOTH for by in store.erasures[id].values())]
    return Unfinished(min(under_way)[1], (store.now() - min(under_way)[0]).total_seconds()) if under_way else None


def _begin(erasing: Erasing, person: PersonKept, store: ConversationsInMemory) -> None:
    ids = set(person.contact_ids)
    there = {kept.key for kept in store.conversations.values() if kept.contact_id in ids}
    if there != set(person.keys) or not ids <= store.contacts.keys():
        raise StaleContact("there is more of the person than was read")
    store.forget_contacts(ids)
    store.broadcasts.forget(ids)
    job = {key: set[str]() for key in (erasing.key, *erasing.others)}
    store.erasures |= dict.fromkeys(map(job_of, ids), job)
    store.erased_contacts |= dict.fromkeys(map(job_of, ids), person.contact_ids)
    store.asked_at[erasing.erasure] = store.now()
    begin = f"{erasing.bot_id}/{NOBODY}/"
    for id, events in store.waiting.items():
        left = [(one, _left_of(one, begin, person)) for one in events]
        store.waiting[id] = [one._replace(value=value) for one, value in left if value is not None]
    for kind, value in person.names:
        store.erased[name_key(erasing.bot_id, kind, value)] = Erased(erasing.before, 0, 1, b"")


def _left_of(held: HeldEvent, begin: str, person: PersonKept) -> bytes | None:
    given, value = (held.key or b"").decode(), held.value or b""
    return without(given.removeprefix(begin), value, person) if given.startswith(begin) else value


def _erase_key(erasing: Erasing, store: ConversationsInMemory) -> None:
    key, id = erasing.key, conversation_id(erasing.key)
    for kept in (store.conversations, store.waiting, store.messages, store.traces):
        kept.pop(id, None)
    store.armed = {timer: one for timer, one in store.armed.items() if one.row.key != key}
    events = [event for event, row in store.log.items() if row.conversation == id]
    if split_conversation_key(key)[1] == NOBODY:
        marks = (name_key(erasing.bot_id, EVENT, event) for event in events)
        store.erased.update(dict.fromkeys(marks, Erased(erasing.before, 0, 1, b"")))
    store.log = {event: row for event, row in store.log.items() if event not in events}
