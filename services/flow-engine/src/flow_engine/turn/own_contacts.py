"""A contact itself, made or changed by another program: no conversation takes part, and there may be none. Pure.

Unlike a change that comes in a conversation, one that is told an external id which another contact has is refused: two people
become one only where somebody says so, or where a conversation shows it.
"""

from __future__ import annotations

from contracts.people import IDENTIFIERS
from flow_engine.state.limits import check_contact
from flow_engine.state.patches import patched
from flow_engine.state.work import NewContact, Work
from flow_engine.turn import people
from flow_engine.turn.event import InboundEvent
from flowlang.clock import moment
from flowlang.model import Contact, Effect, EmitEvent, Refused

GONE = Refused("contact-not-found", 404, "The bot has no such contact.")


def make(work: Work, event: InboundEvent) -> list[Effect] | Refused:
    """Make it. Raises TooLarge, and has changed nothing then."""
    if refused := _taken(work, event):
        return refused
    conversation, change = event.loaded.conversation, people.update(event.body)
    id = people.contact_id(conversation.key, event.arrived.record.timestamp)
    contact = patched(Contact(id), change)
    check_contact(contact)
    work.new_contacts[id] = NewContact(conversation.project_id, conversation.bot_id, moment(event.now))
    return _done(event, contact, [EmitEvent("contact.created", {}), *people.label_events(change)])


def change(work: Work, event: InboundEvent) -> list[Effect] | Refused:
    """Change it. Raises TooLarge, and has changed nothing then."""
    before, wanted = event.contact, event.body.if_version
    if not before.id:
        return GONE
    read = work.read_versions[before.id]
    version = read + work.changes[before.id]
    if wanted is not None and wanted != version:
        return Refused("stale", 412, f'The contact was changed meanwhile: its ETag is now "{version}".')
    if refused := _taken(work, event):
        return refused
    asked = people.update(event.body)
    contact = patched(before, asked)
    check_contact(contact)
    if wanted is not None:
        work.if_versions[before.id] = read
    return _done(event, contact, [asked, *people.update_events(before, asked)])


def _done(event: InboundEvent, contact: Contact, effects: list[Effect]) -> list[Effect]:
    body = event.body
    event.contact = contact
    event.verified = [*people.verified(body.profile), *((name, "") for name in IDENTIFIERS if name in body.clear)]
    return event.has_done(effects)


def _taken(work: Work, event: InboundEvent) -> Refused | None:
    """An external id is one person's."""
    bot_id = event.loaded.conversation.bot_id
    for kind, value in people.verified(event.body.profile, ("external_id",)):
        told = (one.contact_id for one in reversed(work.verified) if one[:3] == (bot_id, kind, value))
        holder = next(told, None) or work.holders.get((bot_id, kind, value))
        if holder is not None and holder != event.contact.id:
            return Refused("contact-exists", 409, f"The contact {holder} has this external_id.", holder)
    return None
