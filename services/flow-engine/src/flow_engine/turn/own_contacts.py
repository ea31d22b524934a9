"""A contact itself, made, changed or merged by another program: no conversation takes part, and there may be none. Pure.

Unlike a change that comes in a conversation, one that is told an external id which another contact has is refused: two people
become one only where somebody says so, or where a conversation shows it.
"""

from __future__ import annotations

from flow_engine.state.limits import CONTACT_LIMIT, TooLarge, check_contact, check_told
from flow_engine.state.patches import joined, news, patched
from flow_engine.state.work import NewContact, Work
from flow_engine.turn import people
from flow_engine.turn.event import InboundEvent
from flowlang.clock import moment
from flowlang.model import Contact, Effect, EmitEvent, PatchContact, Refused

GONE = Refused("contact-not-found", 404, "The bot has no such contact.")


def make(work: Work, event: InboundEvent) -> list[Effect] | Refused:
    """Make it. Raises TooLarge, and has changed nothing then."""
    if refused := _taken(work, event):
        return refused
    conversation, change = event.loaded.conversation, people.update(event.body)
    id = people.contact_id(conversation.key, event.arrived.record.timestamp)
    contact = patched(Contact(id), change)
    check_contact(contact)
    effects: list[Effect] = [EmitEvent("contact.created", {}), *people.label_events(change)]
    check_told(contact, effects)
    work.new_contacts[id] = NewContact(conversation.project_id, conversation.bot_id, moment(event.now))
    work.own_writes.add(id)
    return _done(event, contact, effects)


def change(work: Work, event: InboundEvent) -> list[Effect] | Refused:
    """Change it. Raises TooLarge, and has changed nothing then."""
    before, wanted = event.contact, event.body.if_version
    if not before.id:
        return GONE
    read = work.read_versions.get(before.id, 0)
    version = read + work.changes[before.id]
    if wanted is not None and wanted != version:
        return _stale(version)
    if refused := _taken(work, event):
        return refused
    asked = news(before, people.update(event.body))
    contact = patched(before, asked)
    check_contact(contact)
    effects = people.changes(before, asked)
    check_told(contact, effects)
    if wanted is not None:
        work.if_versions[before.id] = read
    work.own_writes.add(before.id)
    return _done(event, contact, effects)


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
    check_told(whole, effects)
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


def _done(event: InboundEvent, contact: Contact, effects: list[Effect]) -> list[Effect]:
    body = event.body
    event.contact = contact
    event.verified = people.verified_by(body)
    return event.has_done(effects)


def _taken(work: Work, event: InboundEvent) -> Refused | None:
    """An external id is one person's."""
    bot_id = event.loaded.conversation.bot_id
    for kind, value in people.verified(event.body.profile, ("external_id",)):
        holder = holder_of(work, bot_id, kind, value)
        if holder is not None and holder != event.contact.id:
            return Refused("contact-exists", 409, f"The contact {holder} has this external_id.", holder)
    return None
