"""A broadcast comes to a conversation: whether it begins there now, and what is noted of it. Pure.

The recipient's row is the one that decides: who has an outcome gets nothing more, however often a record comes.
"""

from __future__ import annotations

from datetime import timedelta

import orjson

from contracts.inbound import BroadcastRecipient
from flow_engine.state.broadcasts import OPEN, Place, RecipientChange, RecipientKey, Window, quiet_until, why_not
from flow_engine.state.work import Outcome, Work
from flow_engine.turn.event import Arrived
from flowlang.model import Conversation
from flowlang.running.ownership import with_people

WITH_PEOPLE_FOR = timedelta(minutes=5)
"""While agents answer the person the broadcast is put off, for so long at a time."""


def key_of(arrived: Arrived) -> RecipientKey | None:
    """Whose row it is; None for what no broadcast has sent."""
    if arrived.body.kind != "start":
        return None
    told: BroadcastRecipient | None = arrived.body.broadcast
    return None if told is None else RecipientKey(told.id, told.contact_id)


def may_begin(arrived: Arrived, key: RecipientKey, work: Work, window: Window) -> bool:
    """Whether its turn is to be made; `arrived` has the broadcast's variables then. What else is to be done is noted in `work`."""
    found = work.recipients.get(key)
    if found is None or found.outcome not in OPEN or key in work.recipient_changes:
        return False
    of, conversation = found.broadcast, work.conversations[arrived.key].conversation
    contact = work.contacts.get(conversation.contact_id)
    if of.state in ("cancelled", "expired", "completed") or of.is_over:
        _note(arrived, key, work, "cancelled", "cancelled" if of.state == "cancelled" else "expired")
    elif found.is_reached:
        _note(arrived, key, work, "skipped", "merged")
    elif of.state == "paused" or work.merges.get(conversation.contact_id, conversation.contact_id) != key.contact:
        # Who was merged meanwhile is looked at again by the walk, which knows whether the other one was reached.
        work.recipient_changes[key] = _change(arrived, key, "waiting", None)._replace(due=of.now)
    elif with_people(conversation):
        later = of.now + WITH_PEOPLE_FOR
        work.recipient_changes[key] = _change(arrived, key, "waiting", None)._replace(due=later)
    elif contact is None:
        _note(arrived, key, work, "skipped", "unreachable")
    elif (reason := why_not(_place(arrived, work), window, of.now)) is not None:
        _note(arrived, key, work, "skipped", reason)
    elif (until := quiet_until(of.quiet_hours, contact.profile.get("timezone"), of.now)) is not None:
        work.recipient_changes[key] = _change(arrived, key, "waiting", None)._replace(due=until)
    else:
        arrived.body = arrived.body.model_copy(update={"variables": orjson.loads(of.variables)})
        return True
    return False


def note_begun(arrived: Arrived, key: RecipientKey, work: Work) -> None:
    """Its turn is made: whether the flow started."""
    outcome = work.outcomes.get(arrived.event_id) or Outcome("started")
    problem = (outcome.problem or {}).get("type")
    if outcome.status == "rejected":
        told = "skipped" if problem in ("peer-not-reachable", "condition-not-met") else "failed"
        _note(arrived, key, work, told, "unreachable" if problem == "peer-not-reachable" else problem)
    elif outcome.status == "failed":
        _note(arrived, key, work, "failed", problem)
    else:
        _note(arrived, key, work, "started", None)
    work.begun.add(key.broadcast)


def _place(arrived: Arrived, work: Work) -> Place:
    loaded = work.conversations[arrived.key]
    told: Conversation = loaded.conversation
    return Place(told.key, told.reachable, told.opted_out, told.chat, loaded.last_user_at)


def _note(arrived: Arrived, key: RecipientKey, work: Work, outcome: str, reason: str | None) -> None:
    work.recipient_changes[key] = _change(arrived, key, outcome, reason)


def _change(arrived: Arrived, key: RecipientKey, outcome: str, reason: str | None) -> RecipientChange:
    return RecipientChange(*key, arrived.record.partition, outcome, reason)
