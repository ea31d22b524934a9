"""Kinds of events, one row each: what the engine itself does before the interpreter steps, and what that sees. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts import inbound
from flow_engine.catalogue.port import Catalogue
from flow_engine.state.limits import check_written
from flow_engine.state.patches import news, patched
from flow_engine.state.work import Work
from flow_engine.turn import happenings, migrating, own_contacts, people, presence
from flow_engine.turn.event import InboundEvent
from flow_engine.turn.happenings import Data
from flowlang.clock import moment
from flowlang.model import Effect, EmitEvent, Happening, Refused
from flowlang.running.ownership import WITH_PEOPLE, with_people

TEXT_KEPT = 4096
"""Characters of a person's last message that the conversation remembers."""

Before = Callable[[InboundEvent, Work, Catalogue], list[Effect] | Refused | None]
"""The effects that come before the interpreter's; why the event starts nothing; or None: nothing happens at all.

Raises TooLarge, and has changed nothing then.
"""


def _nothing(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect]:
    return []


def _message(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect]:
    body: inbound.MessageReceived = event.body
    effects = people.meet(work, event, subscribed=True)
    if body.text is not None:
        event.loaded.conversation.last_message = body.text[:TEXT_KEPT]
    event.loaded.conversation.thread = body.thread
    event.loaded.last_user_at = moment(event.now)
    return [*effects, EmitEvent("message.received", {"message": people.message_view(body)})]


def _reachability(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect]:
    effects = people.meet(work, event, subscribed=False)
    body: inbound.Reachability = event.body
    effects += people.change_reachability(event.loaded.conversation, body.state, body.reason)
    return event.has_done(effects)


def _message_result(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect]:
    body: inbound.MessageResult = event.body
    effects: list[Effect] = [people.message_result(body)]
    if body.unreachable:
        effects += people.change_reachability(event.loaded.conversation, body.unreachable, "send-failed")
    return event.has_done(effects)


def _contact_update(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect] | Refused:
    if event.is_of_contact:
        body = event.body
        do = own_contacts.make if body.create else own_contacts.change if body.merge is None else own_contacts.merge
        return do(work, event)
    if not event.contact.id:
        return own_contacts.GONE
    change = news(event.contact, people.update(event.body))
    contact = patched(event.contact, change)
    effects = people.changes(contact, change)
    check_written(contact, effects)
    event.contact, event.verified = contact, people.verified_by(event.body)
    return event.has_done(effects)


def _history(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect]:
    event.history = work.histories.get(event.id, [])
    return []


def _timer(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect] | None:
    if not work.take_timer(event.body.timer_id):
        return None
    return presence.expired(event) if event.is_of_agent else []


def _presence(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect]:
    return presence.change(event)


def _migrate(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect] | None:
    return migrating.migrate(event, work)


def _link_followed(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect]:
    body: inbound.LinkFollowed = event.body
    link = {"id": body.link_id, "url": body.url, "node": body.node}
    return [EmitEvent("redirect.followed", {"link": link}, body.node)]


def _url(event: InboundEvent, work: Work, catalogue: Catalogue) -> list[Effect] | Refused:
    body: inbound.UrlOpened = event.body
    if with_people(event.loaded.conversation):
        return WITH_PEOPLE  # Before its one use is spent.
    if body.registered and catalogue.is_deleted("hook_url", body.link_id):
        return Refused("link-gone", 404, "The link was revoked.", "revoked")
    if body.single_use and not event.loaded.listeners.use_link(body.link_id):
        return Refused("link-gone", 404, "The link works once, and was used.", "used")
    return []


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of event is treated."""

    data: Data
    """What the interpreter sees of it."""
    before: Before = _nothing
    asked_about: bool = False
    """Whether it has a row in the event log: somebody outside may ask what became of it."""
    seen_as: str | None = None
    """The kind that the interpreter knows it by; None: its own."""
    only_for_triggers: bool = False
    """Whether no session waits for it: unless a trigger took it, no session fails where it does not fit its limits."""


KINDS: dict[str, Kind] = {
    "message": Kind(happenings.message, _message, asked_about=True),
    "start": Kind(happenings.start, asked_about=True),
    "url": Kind(happenings.url, _url, asked_about=True),
    "command": Kind(happenings.command, asked_about=True),
    "signal": Kind(happenings.signal, asked_about=True),
    "contact_update": Kind(happenings.contact_update, _contact_update, asked_about=True, only_for_triggers=True),
    "link_followed": Kind(happenings.unseen, _link_followed),
    "owner": Kind(happenings.owner, asked_about=True),
    "agent_message": Kind(happenings.agent_message, asked_about=True),
    "agent_note": Kind(happenings.agent_only, asked_about=True),
    "agent_read": Kind(happenings.agent_only, asked_about=True),
    "agent_presence": Kind(happenings.unseen, _presence, asked_about=True),
    "event": Kind(happenings.own_event, only_for_triggers=True),
    "call_result": Kind(happenings.call_result),
    "read_history": Kind(happenings.history, _history, seen_as="call_result"),
    "timer": Kind(happenings.timer, _timer),
    "reachability": Kind(happenings.reachability, _reachability, only_for_triggers=True),
    "message_result": Kind(happenings.message_result, _message_result, only_for_triggers=True),
    "migrate": Kind(happenings.unseen, _migrate),
}
"""By `kind` of contracts.inbound. `attach` and `redrive` make no turn."""


def happening(event: InboundEvent) -> Happening | None:
    """The event as the interpreter sees it; None where it need not see it."""
    if event.is_of_agent:
        return None
    kind = KINDS[event.kind]
    data = kind.data(event)
    return None if data is None else Happening(event.id, kind.seen_as or event.kind, event.now, data)
