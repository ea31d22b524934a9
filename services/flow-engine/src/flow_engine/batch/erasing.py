"""A person is erased, key after key: what a record of it has erased, what it has told, and what comes too late. No I/O.

The first record is the contact's. With its row goes the list of what else there is to erase: a record for each conversation,
which each stand behind all that came for it before.
"""

from __future__ import annotations

from contracts.ids import NOBODY, split_conversation_key
from contracts.inbound import Erase
from flow_engine.batch.loading import LoadedBatch, may_make
from flow_engine.batch.person_lookup import as_event, as_id, makes_anew, named, passed_on
from flow_engine.batch.without_turn import outputs_for
from flow_engine.state.ids import as_uuid
from flow_engine.state.json_text import encode
from flow_engine.state.rows import LogRow
from flow_engine.state.work import Begun, Erasing, LoadedConversation, Outcome, PersonKept
from flow_engine.store.erasures import job_of
from flow_engine.turn import answers
from flow_engine.turn.event import Arrived
from flow_engine.turn.outputs import Outputs, contact_view
from flow_engine.turn.own_contacts import GONE
from flowlang.model import Contact

RESULTS = ("call_result", "message_result")
"""Kinds of what the dispatcher tells of actions; they are received when it tells them."""


MOST_IDS = 2_000
"""Event ids in one record."""


def is_of_before(arrived: Arrived, batch: LoadedBatch) -> bool:
    """Whether it is from before its key was erased: received before, or the result of an action of then."""
    body = arrived.body
    if arrived.person_keyed:
        name = named(arrived)
        erased = batch.erased_names.get(name) if name else None
        return erased is not None and str(body.received_at) < erased.before
    if batch.erased_names and _is_of_erased(arrived, batch):
        return True
    erased = batch.work.erased.get(arrived.key)
    if erased is None or body.kind == "erasure_done":
        return False
    if body.kind in RESULTS and batch.work.conversations[arrived.key].is_unknown:
        return True
    is_old_message = body.kind == "message_result" and body.seq < erased.next_seq
    return bool(is_old_message or body.received_at < erased.before)


def _is_of_erased(arrived: Arrived, batch: LoadedBatch) -> bool:
    """Whether it would make somebody anew, or has come again since its contact was erased."""
    if as_event(arrived) in batch.erased_names:
        return True
    return may_make(arrived, batch.work) and makes_anew(arrived, batch.erased_names)


def erase(arrived: Arrived, batch: LoadedBatch) -> None:
    """Have all that is kept under the record's key erased, and with the first record of an erasure the contact."""
    body = arrived.body
    loaded = batch.work.conversations[arrived.key]
    outputs = outputs_for(arrived, loaded, "erase")
    if batch.merged_into is not None:
        left = {"erasure": job_of(batch.merged_into), "contact_ids": (batch.merged_into,)}
        key = f"{body.bot_id}/{NOBODY}/{batch.merged_into}"
        batch.work.send(arrived.record, [passed_on(arrived, key, left)])
        return
    if body.begins and batch.person is None:
        outcome = answers.refusal(GONE)
        if batch.begun is not None:
            outcome = Outcome("completed", contact_id=body.contact_ids[0])
            _tell_again(arrived, batch.begun, outputs)
        _answer(arrived, outcome, outputs, batch)
        return
    erased = batch.work.erased.get(arrived.key)
    is_repeat = batch.person is None and erased is not None and erased.before >= body.received_at
    person = batch.person
    ids = person.contact_ids if person else body.contact_ids
    others = _others(body.bot_id, body.contact_ids[0], person) if person else ()
    batch.work.erasing = Erasing(
        body.erasure, arrived.key, body.project_id, body.bot_id, as_id(body.contact_ids[0]) or "", body.received_at,
        loaded.conversation.version + 1, loaded.conversation.next_seq, loaded.seen, person, others, is_repeat,
    )  # fmt: skip
    for key in others:
        outputs.inbound(outputs.new_id(), key, _for_key(arrived, key, ids))
    outputs.action(
        outputs.new_id(), "erase", body.bot_id, "", {"erasure": body.erasure, "contact_ids": list(ids)}
    )  # fmt: skip
    told = 0 if is_repeat else max(len(batch.event_ids), 1 if person else 0)  # Of the contact there is one in any case.
    for portion in range(0, told, MOST_IDS):
        outputs.finding("contact.erased", body.bot_id, _finding(body, batch.event_ids[portion : portion + MOST_IDS]))
    _release_callers(loaded, outputs)
    if person:
        view = contact_view(Contact(body.contact_ids[0]), None)
        outputs.event("contact.erased", {"event_id": arrived.event_id, "bot": {"id": body.bot_id}}, contact=view)
        _answer(arrived, Outcome("completed", contact_id=body.contact_ids[0]), outputs, batch)
    else:
        batch.work.send(arrived.record, outputs.records)


def _tell_again(arrived: Arrived, begun: Begun, outputs: Outputs) -> None:
    """It was begun before: what was lost of it since, by a restore or among dead letters, is done."""
    for key in begun.keys:
        outputs.inbound(outputs.new_id(), key, _for_key(arrived, key, begun.contact_ids))
    wanted = {"erasure": arrived.body.erasure, "contact_ids": list(begun.contact_ids), "again": True}
    outputs.action(outputs.new_id(), "erase", arrived.body.bot_id, "", wanted)


def _others(bot_id: str, contact_id: str, person: PersonKept) -> tuple[str, ...]:
    own = (f"{bot_id}/{NOBODY}/{id}" for id in person.contact_ids if id != contact_id)
    return (*person.keys, *own)


def _for_key(arrived: Arrived, key: str, ids: tuple[str, ...]) -> dict[str, object]:
    """The body of the record of another key of the person."""
    _, channel_id, peer_id = split_conversation_key(key)
    return {
        "kind": "erase",
        "bot_id": arrived.body.bot_id,
        "channel_id": channel_id,
        "peer_id": peer_id if channel_id != NOBODY else NOBODY,
        "received_at": arrived.body.received_at,
        "erasure": arrived.body.erasure,
        "contact_ids": list(ids),
    }


def _finding(body: Erase, event_ids: list[str]) -> dict[str, object]:
    """For the registry, whose request log of triggers has what callers sent."""
    return {"contact": {"id": body.contact_ids[0]}, "event_ids": event_ids}


def _release_callers(loaded: LoadedConversation, outputs: Outputs) -> None:
    """Whoever waits for what becomes of a run hears that there is nobody any more."""
    for caller in loaded.listeners.callers:
        answers.answer(outputs, caller, caller.cause, answers.refusal(GONE))


def _answer(arrived: Arrived, outcome: Outcome, outputs: Outputs, batch: LoadedBatch) -> None:
    """Tell who asked, and note it in the event log, under no conversation."""
    body = arrived.body
    if body.reply_to is not None:
        answers.answer(outputs, body.reply_to, arrived.event_id, outcome)
    line = {"problem": outcome.problem, "contact_id": outcome.contact_id, "token_id": body.token_id}
    logged = encode({name: value for name, value in line.items() if value is not None})
    batch.work.add_log_row(LogRow(as_uuid(arrived.event_id), body.project_id, None, outcome.status, logged))
    batch.work.send(arrived.record, outputs.records)
