"""A contact itself, made, changed or merged by another program: no conversation takes part, and there may be none. Pure.

Unlike a change that comes in a conversation, one that is told an external id which another contact has is refused: two people
become one only where somebody says so, or where a conversation shows it.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.people import Identifier
from flow_engine.state.limits import CONTACT_LIMIT, TooLarge, check_written
from flow_engine.state.patches import joined, members, news, patched
from flow_engine.state.work import NewContact, Work
from flow_engine.turn import people
from flow_engine.turn.event import InboundEvent
from flowlang.clock import moment
from flowlang.model import Contact, Effect, EmitEvent, PatchContact, Refused

GONE = Refused("contact-not-found", 404, "The bot has no such contact.")


class Written(NamedTuple):
    """A contact as a write leaves it, what that causes, and what identifies the person from now on."""

    contact: Contact
    effects: list[Effect]
    verified: list[tuple[Identifier, str]]


def make(work: Work, event: InboundEvent) -> list[Effect] | Refused:
    """Make it. Raises TooLarge, and has changed nothing then."""
    conversation = event.loaded.conversation
    id = people.contact_id(conversation.key, event.arrived.record.timestamp)
    new = NewContact(conversation.project_id, conversation.bot_id, moment(event.now))
    return _done(event, made(work, id, new, event.body, people.verified_by(event.body)))


def made(
    work: Work, id: str, new: NewContact, told: people.Told, verified: list[tuple[Identifier, str]]
) -> Written | Refused:
    """A new contact of this id. `verified`: of what is told. Raises TooLarge, and has changed nothing then."""
    if refused := _taken(work, new.bot_id, "", verified):
        return refused
    contact = _begun(id, told)
    effects: list[Effect] = [EmitEvent("contact.created", {}), *people.label_events(told)]
    check_written(contact, effects)
    work.new_contacts[id] = new
    work.own_writes.add(id)
    return Written(contact, effects, verified)


def _begun(id: str, told: people.Told) -> Contact:
    """As `patched` makes it of nothing, which takes three times as long."""
    profile = people.told_of(told.profile)
    for name in told.clear:
        profile.pop(name, None)
    variables = {name: value for name, value in told.variables.items() if value is not None}
    tags, flags = members((), told.add_tags, told.remove_tags), members((), told.add_flags, told.remove_flags)
    return Contact(id, profile, variables, tags, flags)


def change(work: Work, event: InboundEvent) -> list[Effect] | Refused:
    """Change it. Raises TooLarge, and has changed nothing then."""
    before, wanted, body = event.contact, event.body.if_version, event.body
    if not before.id:
        return GONE
    read = work.read_versions.get(before.id, 0)
    version = read + work.changes[before.id]
    if wanted is not None and wanted != version:
        return _stale(version)
    written = changed(work, event.loaded.conversation.bot_id, before, body, people.verified_by(body))
    if wanted is not None and isinstance(written, Written):
        work.if_versions[before.id] = read
    return _done(event, written)


def changed(
    work: Work, bot_id: str, before: Contact, told: people.Told, verified: list[tuple[Identifier, str]]
) -> Written | Refused:
    """A contact that there is, after what is told. `verified`: of that. Raises TooLarge, and has changed nothing then."""
    if refused := _taken(work, bot_id, before.id, verified):
        return refused
    asked = news(before, people.update(told))
    contact = patched(before, asked)
    effects = people.changes(before, asked)
    check_written(contact, effects)
    work.own_writes.add(before.id)
    return Written(contact, effects, verified)


def merge(work: Work, event: InboundEvent) -> list[Effect] | Refused:
    """Make another contact this one, which gets what only the other had. Raises TooLarge, and has changed nothing then."""
    survivor, wanted = event.contact, event.body.if_version
    id = work.asked_for.get(event.body.merge)
    other = work.contacts.get(work.merges.get(id, id)) if id else None
    if not survivor.id or other is None:
        return GONE
    version = work.read_versions[survivor.id] + work.changes[survivor.id]
    if wanted is not None and wanted != version:
        return _stale(version)
    if other.id == survivor.id:
        return []
    whole = joined(survivor, other)
    if whole is survivor:
        raise TooLarge(f"the two together would have more than {CONTACT_LIMIT} bytes")
    gained = PatchContact(
        {f"profile.{name}": value for name, value in whole.profile.items() if name not in survivor.profile}
        | {f"variables.{name}": value for name, value in whole.variables.items() if name not in survivor.variables},
        add_tags=tuple(tag for tag in whole.tags if tag not in survivor.tags),
        add_flags=tuple(flag for flag in whole.flags if flag not in survivor.flags),
    )
    effects = people.update_events(survivor, gained)
    check_written(whole, effects)
    work.merges |= {gone: survivor.id for gone, into in work.merges.items() if into == other.id} | {
        other.id: survivor.id
    }
    work.changes[survivor.id] += 1
    event.contact = whole
    return event.has_done(effects)


def holder_of(work: Work, bot_id: str, kind: str, value: str) -> str | None:
    """The id of the contact that has an identifier, as far as the batch has come."""
    name = (bot_id, kind, value)
    id = work.told.get(name) or work.holders.get(name)
    return work.merges.get(id, id) if id else None


def _stale(version: int) -> Refused:
    return Refused("stale", 412, f'The contact was changed meanwhile: its ETag is now "{version}".')


def _done(event: InboundEvent, written: Written | Refused) -> list[Effect] | Refused:
    if isinstance(written, Refused):
        return written
    event.contact, effects, event.verified = written
    return event.has_done(effects)


def _taken(work: Work, bot_id: str, id: str, verified: list[tuple[Identifier, str]]) -> Refused | None:
    """An external id is one person's. `id`: of the contact that is told it."""
    for kind, value in verified:
        holder = holder_of(work, bot_id, kind, value) if kind == "external_id" and value else None
        if holder is not None and holder != id:
            return Refused("contact-exists", 409, f"The contact {holder} has this external_id.", holder)
    return None
