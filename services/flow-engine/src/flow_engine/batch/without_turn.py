"""What is done about records that make no turn: attaches, repeats, and those whose person is not found. No I/O."""

from __future__ import annotations

from contracts import inbound
from contracts.ids import derived_id
from flow_engine.batch.decoding import Arrived
from flow_engine.batch.loading import Loaded
from flow_engine.state.json_text import encode
from flow_engine.state.work import Outcome, Talk, as_uuid
from flow_engine.turn import answers
from flow_engine.turn.outputs import Outputs, in_portions, time_text
from flow_engine.turn.people import refused_events
from flowlang.model import Refused
from servicekit.kafka.records import Outgoing


def _outputs(arrived: Arrived, talk: Talk | None = None) -> Outputs:
    """For what leaves without a turn."""
    return Outputs(
        key=arrived.key,
        id_base=(f"answer {arrived.event_id}", talk.conversation.version if talk else 0),
        project_id=arrived.body.project_id,
        now=time_text(arrived.record.timestamp),
        hops=arrived.body.hops + 1,
        traceparent=arrived.traceparent,
    )


def attach(arrived: Arrived, talk: Talk, loaded: Loaded) -> None:
    """Give an instance the messages it has not seen, and keep it for those to come."""
    body, work = arrived.body, loaded.work
    now = time_text(arrived.record.timestamp)
    talk.listeners.forget_old(now, arrived.record.timestamp)
    talk.listeners.attach(body.instance, body.partition, body.until)
    work.touch(talk, now)
    known = loaded.backlogs[(arrived.key, body.after)]
    fresh = [message for message in work.said.get(talk.id, []) if message["seq"] > body.after]
    outputs = _outputs(arrived, talk)
    answer = {"kind": "messages", "instance": body.instance, "request_id": body.request_id, "conversation": arrived.key}
    for portion in list(in_portions([*known, *fresh])) or [[]]:
        outputs.reply(body.partition, body.request_id, answer | {"messages": portion})
    work.outgoing.append((arrived.record, outputs.records))


def answer_repeat(arrived: Arrived, talk: Talk, loaded: Loaded) -> None:
    """Nothing is applied twice; who asks again hears what the first one came to."""
    to = arrived.body.reply_to
    if to is None:
        return
    work = loaded.work
    outcome = work.outcomes.get(arrived.event_id, Outcome("completed"))
    outputs = _outputs(arrived, talk)
    before = len(talk.listeners.callers)
    is_url = arrived.body.kind == "url"
    answers.answer_asker(
        outputs, to, arrived.event_id, outcome, talk.listeners, at_ms=arrived.record.timestamp, is_url=is_url
    )
    if len(talk.listeners.callers) != before:
        work.touch(talk, outputs.now)
    if outputs.records:
        work.outgoing.append((arrived.record, outputs.records))


def refuse(arrived: Arrived, refused: Refused, loaded: Loaded) -> None:
    """Nobody to pass the record on to."""
    outputs, body = _outputs(arrived), arrived.body
    outcome = answers.refusal(refused)
    for event in refused_events(body, refused):
        outputs.event(event.type, {"event_id": arrived.event_id, "bot": {"id": body.bot_id}, **event.data})
    if body.reply_to is not None:
        answers.answer(outputs, body.reply_to, arrived.event_id, outcome)
    id = as_uuid(arrived.event_id)
    loaded.work.log_rows[id] = (id, body.project_id, None, outcome.status, encode({"problem": outcome.problem}))
    if outputs.records:
        loaded.work.outgoing.append((arrived.record, outputs.records))


def next_redrive(arrived: Arrived) -> Outgoing:
    """The same record again, for the events that are left."""
    id = derived_id("redrive", arrived.event_id, arrived.record.offset)
    headers = [
        (name, id.encode() if name == "ce_id" else value)
        for name, value in arrived.record.headers
        if value is not None and not name.startswith("src-")
    ]
    return Outgoing(inbound.TOPIC.name, arrived.record.key, arrived.record.value, headers)
