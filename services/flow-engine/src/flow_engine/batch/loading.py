"""Everything that the records of a batch ask for, read before the first of them is applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contracts.ids import split_conversation_key
from flow_engine.batch import importing, parking
from flow_engine.batch.held_shares import HeldShares
from flow_engine.batch.parking import AT_ONCE, MOST_HELD, Redriven, redriven
from flow_engine.batch.person_lookup import as_event, as_id, goes_to_contact, is_of_contact, is_older, named, told
from flow_engine.state.ids import conversation_id
from flow_engine.state.seen import contains, fingerprint
from flow_engine.state.work import Begun, Erased, LoadedConversation, PersonKept, Work
from flow_engine.store.port import Conversations, Name, Reads
from flow_engine.turn import broadcasts
from flow_engine.turn.event import Arrived
from flowlang.model import Conversation


@dataclass(slots=True)
class LoadedBatch:
    """A batch's Work, and what else its records ask for."""

    work: Work = field(default_factory=Work)
    turns: Counter[str] = field(default_factory=Counter)
    """How many were made of it, by the kind of event."""
    found: dict[Name, Conversations] = field(default_factory=dict)
    own_ids: dict[Name, str] = field(default_factory=dict)
    """By a name whose contact has no conversation, or that is to be merged: the contact's id, for those that are written to."""
    peers: dict[str, Conversations] = field(default_factory=dict)
    """By the key of a record that names a peer without a channel: the conversations that there are, the last used first."""
    imported: dict[str, list[importing.Line]] = field(default_factory=dict)
    """By the id of an import's record: its lines, each as a change of a contact or the making of one."""
    backlogs: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    """By conversation key and the `after` of an attach."""
    redriven: dict[str, Redriven] = field(default_factory=dict)
    """By conversation key: held events that a redrive of this batch applies."""
    held_counts: dict[str, int] = field(default_factory=dict)
    """By conversation key."""
    crowded: set[str] = field(default_factory=set)
    """Keys of those in which too many events may wait after this batch for a deferred turn; they are in `redriven`."""
    full_projects: frozenset[str] = frozenset()
    """Those of which too much waits."""
    person: PersonKept | None = None
    """Whom the first record erases."""
    event_ids: list[str] = field(default_factory=list)
    """Of the events that were applied under the key that the first record erases."""
    begun: Begun | None = None
    """Its erasure, where it was begun before."""
    merged_into: str | None = None
    """Who the contact is now that the first record is to erase."""
    erased_names: dict[Name, Erased] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)
    """Keys for whose held events there was no room beside those of others: the batch ends before the first record of one."""

    def waiting(self) -> list[Arrived]:
        """The held events that redrives of this batch apply."""
        events = (event for redriven in self.redriven.values() for event in redriven.events)
        return [event.arrived for event in events if isinstance(event.arrived, Arrived)]


async def load(
    reads: Reads, arrived: list[Arrived], peer_keys: Callable[[Any], list[str]], shares: HeldShares
) -> LoadedBatch:
    """Read it. Rare things cost a query only when a record asks for them.

    `peer_keys(body)`: the conversations that a peer may be in who is named without a channel.
    """
    await shares.look(reads, (one.body.project_id for one in arrived))
    batch = LoadedBatch(full_projects=shares.full)
    for one in arrived:
        if one.body.kind == "redrive" and one.key not in batch.redriven and _has_room(batch, one, arrived[0]):
            batch.redriven[one.key] = await redriven(reads, one)
    arrived = [*arrived, *batch.waiting()]
    rare = [one for one in arrived if not _is_plain(one)]
    await _load_conversations(reads, batch.work, arrived)
    if rare:
        await _load_people(reads, batch, rare)
    await _load_held(reads, batch, arrived)
    shares.note(one.conversation.project_id for one in batch.work.conversations.values() if one.held)
    if batch.crowded:
        crowded = [event for event in batch.waiting() if event.key in batch.crowded]
        arrived += crowded
        rare += [one for one in crowded if not _is_plain(one)]
    if rare:
        await _load_rare(reads, batch, rare, peer_keys)
        await _load_person(reads, batch, arrived[0])
    await _load_repeats(reads, batch, arrived)
    return batch


async def _load_people(reads: Reads, batch: LoadedBatch, rare: list[Arrived]) -> None:
    """Contacts that records name otherwise than by their conversations."""
    await _load_own(reads, batch.work, [one for one in rare if one.key in batch.work.conversations])
    await _load_holders(reads, batch.work, rare)
    batch.imported = await importing.load(reads, batch.work, rare)


async def _load_rare(
    reads: Reads, batch: LoadedBatch, rare: list[Arrived], peer_keys: Callable[[Any], list[str]]
) -> None:
    batch.work.timers_found = await reads.timers([a.body.timer_id for a in rare if a.body.kind == "timer"])
    batch.work.recipients = await reads.recipients([key for a in rare if (key := broadcasts.key_of(a))])
    names = [name for a in rare if a.person_keyed and (name := named(a))]
    batch.found = await reads.named(names) if names else {}
    batch.own_ids = await _own_ids(reads, batch.found, rare)
    batch.erased_names = await _erased_names(reads, batch, names, rare)
    batch.work.not_theirs = _not_theirs(rare, batch)
    for one in rare:
        if one.person_keyed and len(keys := peer_keys(one.body)) > 1:
            batch.peers[one.key] = await _known(reads, keys)
        if one.body.kind == "attach":
            after: int = one.body.after
            batch.backlogs[(one.key, after)] = await reads.backlog(conversation_id(one.key), after)
        if one.body.kind == "read_history":
            body = one.body
            said = await reads.said(conversation_id(one.key), body.limit, body.before, body.without)
            batch.work.histories[one.event_id] = said


def _is_plain(one: Arrived) -> bool:
    """Whether it is what most records are, a message that says of nobody who they are, or a start that no broadcast has sent: all
    that it needs is its conversation."""
    if one.person_keyed:
        return False
    body = one.body
    return not body.verified if body.kind == "message" else body.kind == "start" and body.broadcast is None


def may_make(one: Arrived, work: Work) -> bool:
    """Whether it makes a contact, or begins a conversation with somebody whom another one vouches for."""
    if one.person_keyed or one.key not in work.conversations:
        return False
    if is_of_contact(one):
        return bool(one.body.create)
    return bool(_vouched(one)) and not work.conversations[one.key].conversation.contact_id


def _vouched(one: Arrived) -> tuple[str, ...]:
    """What of the person somebody vouches for. A Pydantic model takes as long as all the rest to say that it has no such field."""
    return one.body.verified if one.body.kind in ("message", "reachability") else ()


def _vouches(one: Arrived, work: Work) -> bool:
    """Whether somebody vouches by it for who a conversation's contact is, or will be: a record before it may make them."""
    return not one.person_keyed and one.key in work.conversations and bool(_vouched(one))


def _not_theirs(arrived: list[Arrived], batch: LoadedBatch) -> dict[str, frozenset[str]]:
    if not batch.erased_names:
        return {}
    found = {
        one.event_id: frozenset(name.field for name in told(one) if is_older(one, name, batch.erased_names))
        for one in arrived
        if _vouches(one, batch.work)
    }
    return {id: fields for id, fields in found.items() if fields}


async def _erased_names(
    reads: Reads, batch: LoadedBatch, wanted: list[Name], records: list[Arrived]
) -> dict[Name, Erased]:
    """Of those that are `wanted`, of those by which records would make somebody anew, and of those that they vouch for."""
    makers = [one for one in records if may_make(one, batch.work)]
    tellers = [one for one in records if _vouches(one, batch.work)]
    names = {*wanted, *(name for one in (*makers, *tellers) for name in told(one))}
    names |= {as_event(one) for one in makers if one.body.request_digest is not None}
    for one in records:
        names |= importing.of_who_may_be_erased(one.body.bot_id, batch.imported.get(one.event_id, ()))
    return await reads.erased_names(sorted(names)) if names else {}


async def _load_conversations(reads: Reads, work: Work, arrived: list[Arrived]) -> None:
    """Each conversation as its row has it, or as the first record makes it."""
    first: dict[str, Arrived] = {}
    for one in arrived:
        if not one.person_keyed and one.body.kind != "redrive":
            first.setdefault(one.key, one)
    if not first:
        return
    for key, stored in (await reads.conversations(first)).items():
        loaded = stored.loaded or LoadedConversation(conversation_id(key), _unknown(first[key]), None, held=stored.held)
        if stored.erased is not None:
            work.erased[key] = stored.erased
            _go_on_from(loaded, stored.erased)
        work.conversations[key] = loaded
        if stored.contact is not None:
            work.contacts.setdefault(stored.contact.id, stored.contact)


def _go_on_from(loaded: LoadedConversation, erased: Erased) -> None:
    """What begins anew under an erased key repeats no id and no number, and applies nothing that was applied before."""
    if loaded.read_version is None:
        loaded.seen = erased.seen
        loaded.conversation.version, loaded.conversation.next_seq = erased.version, erased.next_seq


async def _load_person(reads: Reads, batch: LoadedBatch, first: Arrived) -> None:
    """What the first record of a batch erases; such a record is alone in its batch."""
    body = first.body
    if body.kind == "erase":
        batch.event_ids = await reads.event_ids(conversation_id(first.key))
    if body.kind == "erase" and body.begins:
        id = as_id(body.contact_ids[0]) if body.contact_ids else None
        batch.person = await reads.person(body.bot_id, id) if id else None
        batch.begun = await reads.begun(body.erasure) if batch.person is None else None
        if id and batch.person is None and (found := await reads.contacts([(body.bot_id, id)])):
            batch.merged_into = found[id].contact.id


async def _load_own(reads: Reads, work: Work, arrived: list[Arrived]) -> None:
    """The contacts that are changed by their own keys, and those that are merged into them."""
    wanted: set[tuple[str, str]] = set()
    own: dict[str, str] = {}
    for one in arrived:
        if is_of_contact(one) and not one.body.create:
            given = as_id(split_conversation_key(one.key)[2]), as_id(one.body.merge or "")
            wanted |= {(one.body.bot_id, id) for id in given if id}
            own[one.key] = given[0] or ""
    for id, found in (await reads.contacts(list(wanted)) if wanted else {}).items():
        work.contacts[found.contact.id], work.read_versions[found.contact.id] = found.contact, found.version
        work.asked_for[id] = found.contact.id
    for key, id in own.items():
        work.conversations[key].conversation.contact_id = work.asked_for.get(id, "")


async def _own_ids(reads: Reads, found: dict[Name, Conversations], arrived: list[Arrived]) -> dict[Name, str]:
    """The ids of those contacts to which a change that names them goes by their own keys."""
    if not found:
        return {}
    names = {name for one in arrived if (name := named(one)) and goes_to_contact(one, found.get(name))}
    ids = {name: name.value for name in names if name.field == "contact_id"}
    others = [name for name in names if name not in ids]
    holders = await reads.holders(others) if others else {}
    return ids | {name: holder.id for name, holder in holders.items()}


async def _known(reads: Reads, keys: list[str]) -> Conversations:
    """Those of the conversations that there are, the last used first."""
    there = {key: one.loaded for key, one in (await reads.conversations(keys)).items() if one.loaded is not None}
    return sorted(there, key=lambda key: (-(at.timestamp() if (at := there[key].last_user_at) else 0.0), key))


async def _load_holders(reads: Reads, work: Work, arrived: list[Arrived]) -> None:
    """Who has the external ids that new conversations begin with, and those that contacts are told by their own keys."""
    names = [
        Name(one.body.bot_id, "external_id", one.body.profile.external_id)
        for one in arrived
        if one.key in work.conversations and _begins_as(one, work) and one.body.profile.external_id
    ]
    for name, contact in (await reads.holders(names) if names else {}).items():
        work.holders[name] = contact.id
        work.contacts.setdefault(contact.id, contact)


def _begins_as(one: Arrived, work: Work) -> bool:
    """Whether it matters who has the external id that it tells."""
    if "external_id" in _vouched(one):
        return not work.conversations[one.key].conversation.contact_id
    return is_of_contact(one)


def _unknown(arrived: Arrived) -> Conversation:
    """A conversation that has no row yet."""
    bot_id, channel_id, peer_id = split_conversation_key(arrived.key)
    return Conversation(
        key=arrived.key,
        project_id=arrived.body.project_id,
        bot_id=bot_id,
        channel_id=channel_id,
        channel_type=arrived.body.channel_type or "",
        peer_id=peer_id,
        contact_id="",
        chat=getattr(arrived.body, "chat", "private"),
    )


async def _load_held(reads: Reads, batch: LoadedBatch, arrived: list[Arrived]) -> None:
    held = {loaded.id: key for key, loaded in batch.work.conversations.items() if loaded.held}
    if not held:
        return
    counts = await reads.held_counts(list(held))
    batch.held_counts = {key: counts.get(id, 0) for id, key in held.items()}
    for one in arrived:
        if one.key in batch.crowded or one.key not in batch.held_counts or not _is_crowded(batch, one, len(arrived)):
            continue
        if one.key not in batch.redriven and not _has_room(batch, one, arrived[0]):
            continue
        # One for each that comes, as far as there is room: else too many would wait.
        found = await redriven(reads, one, max(len(arrived), AT_ONCE))
        if found.deferred:
            batch.redriven[one.key] = found
            batch.crowded.add(one.key)


def _is_crowded(batch: LoadedBatch, one: Arrived, more: int) -> bool:
    return batch.held_counts[one.key] + more > MOST_HELD or one.body.project_id in batch.full_projects


def _has_room(batch: LoadedBatch, one: Arrived, first: Arrived) -> bool:
    """Whether held events of its conversation may be loaded, too; those of the first record may always."""
    if one.key != first.key and sum(found.size for found in batch.redriven.values()) >= parking.MOST_BYTES:
        batch.full.add(one.key)
        return False
    return True


async def _load_repeats(reads: Reads, batch: LoadedBatch, arrived: list[Arrived]) -> None:
    """Outcomes of events that were applied before and whose repeats want an answer, or might ask for something else."""
    work = batch.work
    asked = [one.event_id for one in arrived if not one.person_keyed and _asks_for_the_first(one, work)]
    asked += [line.told.event_id for lines in batch.imported.values() for line in lines if line.told.digest is not None]
    if asked:
        work.outcomes = await reads.outcomes(asked)
        work.digests = {id: found.digest for id, found in work.outcomes.items() if found.digest is not None}
        work.digests |= await reads.held_digests([id for id in asked if id not in work.outcomes])


def _asks_for_the_first(one: Arrived, work: Work) -> bool:
    """A key may have been used in another conversation; a chat message's id is of one conversation."""
    body = one.body
    if body.reply_to is None and body.request_digest is None:
        return False
    if body.request_digest is not None and body.kind != "message":
        return True
    if body.kind == "contact_import":
        return False
    return contains(work.conversations[one.key].seen, fingerprint(one.event_id))
