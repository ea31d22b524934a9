"""What is done about records that make no turn: attaches, repeats, and those whose person is not found. No I/O."""

from __future__ import annotations

from contracts.cloudevents import rfc3339_ms
from contracts.ids import split_conversation_key
from flow_engine.batch.loading import LoadedBatch
from flow_engine.batch.person_lookup import as_id
from flow_engine.catalogue.port import Catalogue
from flow_engine.state.ids import as_uuid
from flow_engine.state.json_text import encode
from flow_engine.state.limits import LONGEST_TITLE
from flow_engine.state.rows import LogRow
from flow_engine.state.work import LoadedConversation, Outcome
from flow_engine.turn import answers, own_events
from flow_engine.turn.event import Arrived
from flow_engine.turn.outputs import Outputs, in_portions
from flow_engine.turn.people import refused_events
from flowlang.model import Refused

REUSED = Refused(
    "idempotency-key-reused", 422, "This key was used with another request: take a new key for a new one."
)  # fmt: skip


def outputs_for(arrived: Arrived, loaded: LoadedConversation | None = None, about: str = "answer") -> Outputs:
    """For what leaves without a turn; ids follow from the event and from what this is about."""
    return Outputs(
        key=arrived.key,
        id_base=(about, loaded.conversation.version if loaded else 0, arrived.event_id),
        project_id=arrived.body.project_id,
        now=rfc3339_ms(arrived.record.timestamp),
        hops=arrived.body.hops + 1,
        traceparent=arrived.traceparent,
    )


def attach(arrived: Arrived, loaded: LoadedConversation, batch: LoadedBatch) -> None:
    """Give an instance the messages it has not seen, and keep it for those to come."""
    body, work = arrived.body, batch.work
    now = rfc3339_ms(arrived.record.timestamp)
    loaded.listeners.forget_old(now, arrived.record.timestamp)
    loaded.listeners.attach(body.instance, body.partition, body.until)
    loaded.touch(now)
    known = batch.backlogs[(arrived.key, body.after)]
    fresh = [message for message in work.said.get(loaded.id, []) if message["seq"] > body.after]
    if known and fresh and known[-1]["seq"] < fresh[0]["seq"] - 1:
        fresh = []  # What lies between is not in this backlog, and who has it asks for what follows.
    outputs = outputs_for(arrived, loaded)
    answer = {
        "kind": "messages",
        "instance": body.instance,
        "request_id": body.request_id,
        "conversation": arrived.key,
        "last_seq": loaded.conversation.next_seq - 1,
    }
    # Who asked takes one reply, and asks again until there is nothing more: what else was sent would be for nobody.
    portion = next(in_portions([*known, *fresh]), [])
    outputs.reply(body.partition, body.request_id, answer | {"messages": portion})
    work.send(arrived.record, outputs.records)


def received(arrived: Arrived, batch: LoadedBatch, catalogue: Catalogue) -> None:
    """A webhook about a contact was received: its title is the contact's. A repeat adds nothing."""
    body, id = arrived.body, as_id(arrived.body.contact_id)
    if id and body.title:
        batch.work.add_title(id, body.title[:LONGEST_TITLE])
    if body.conversation is not None:
        flows = catalogue.around(batch.work.conversations[arrived.key].conversation).flows
        bot_id, channel_id, peer_id = split_conversation_key(body.conversation)
        place = {"bot_id": bot_id, "channel_id": channel_id, "peer_id": peer_id}
        outputs = outputs_for(arrived)
        own_events.of_delivery(flows, outputs, body.conversation, place, "webhook.sent", {"title": body.title})
        batch.work.send(arrived.record, outputs.records)


def answer_repeat(arrived: Arrived, loaded: LoadedConversation, batch: LoadedBatch) -> None:
    """Nothing is applied twice; who asks again hears what the first one came to."""
    to = arrived.body.reply_to
    if to is None:
        return
    work = batch.work
    outcome = work.outcomes.get(arrived.event_id, Outcome("completed"))
    outputs = outputs_for(arrived, loaded)
    before = len(loaded.listeners.callers)
    is_url = arrived.body.kind == "url"
    answers.answer_asker(
        outputs, to, arrived.event_id, outcome, loaded.listeners, at_ms=arrived.record.timestamp, is_url=is_url
    )
    if len(loaded.listeners.callers) != before:
        loaded.touch(outputs.now)
    work.send(arrived.record, outputs.records)


def is_another_request(arrived: Arrived, batch: LoadedBatch) -> bool:
    """Whether its id was used for something else: what it asks for would be lost as a repeat."""
    first = batch.work.digests.get(arrived.event_id)
    return first is not None and arrived.body.request_digest not in (None, first)


def refuse_reuse(arrived: Arrived, loaded: LoadedConversation, batch: LoadedBatch) -> None:
    """Tell who sent another request under a used key; what the first one came to stays."""
    outputs = outputs_for(arrived, loaded, f"reused {arrived.body.request_digest}")
    _tell_refused(arrived, REUSED, outputs)
    batch.work.send(arrived.record, outputs.records)


def _tell_refused(arrived: Arrived, refused: Refused, outputs: Outputs) -> None:
    body = arrived.body
    for event in refused_events(body, refused):
        outputs.event(event.type, {"event_id": arrived.event_id, "bot": {"id": body.bot_id}, **event.data})
    if body.reply_to is not None:
        answers.answer(outputs, body.reply_to, arrived.event_id, answers.refusal(refused))


def refuse(arrived: Arrived, refused: Refused, batch: LoadedBatch) -> None:
    """Nobody to pass the record on to."""
    outputs, body = outputs_for(arrived), arrived.body
    outcome = answers.refusal(refused)
    _tell_refused(arrived, refused, outputs)
    line = {"problem": outcome.problem, "trigger_id": getattr(body, "trigger_id", None), "digest": body.request_digest}
    line["token_id"] = body.token_id
    logged = encode({name: value for name, value in line.items() if value is not None})
    batch.work.add_log_row(LogRow(as_uuid(arrived.event_id), body.project_id, None, outcome.status, logged))
    batch.work.send(arrived.record, outputs.records)
