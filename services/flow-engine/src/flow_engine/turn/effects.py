"""Effects, one row each in WRITERS: what a type of effect becomes, of records and rows. No I/O.

A new effect is a dataclass in flowlang, a function here that calls the TurnWriter's methods, and its row. What only has to
become an action of a new kind has its effect already, RequestAction.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from contracts.ids import NOBODY, conversation_key, derived_id
from contracts.people import Person, shortly_named
from flow_engine.state.ids import as_uuid
from flow_engine.state.limits import MOST_EFFECTS, TooLarge, hops_of_runs
from flow_engine.turn import own_events
from flow_engine.turn.failure_log import note_failure
from flow_engine.turn.outputs import MESSAGE_LIFE
from flow_engine.turn.turn_writer import TurnWriter
from flowlang import clock, model

_BESIDE_TEXT = ("buttons", "quick_replies", "media", "location", "cards", "degraded", "hides_replies")
_beside_text = attrgetter(*_BESIDE_TEXT)


def say(writer: TurnWriter, effect: model.Say) -> None:
    """A message: to the chat log and its listeners, and through the dispatcher unless the channel is in house."""
    id, conversation = writer.outputs.new_id(), writer.conversation
    content: dict[str, Any] = {"text": effect.text}
    by: dict[str, Any] = {"agent": effect.agent} if effect.agent else {}
    if any(beside := _beside_text(effect)):
        content |= {name: value for name, value in zip(_BESIDE_TEXT, beside, strict=True) if value}
    writer.said.append({"seq": effect.seq, "id": id, "at": writer.outputs.now, "content": content, **by})
    if conversation.channel_id == NOBODY:
        return
    writer.said_to_person(effect.seq, id, content | by if by else content, "agent" if by else "bot")
    if conversation.channel_type in writer.event.around.in_house:
        writer.event_for_outside("message.sent", {"message": {"id": id, "seq": effect.seq, **content, **by}})
    else:
        _send(writer, id, effect, content)


def _send(writer: TurnWriter, id: str, effect: model.Say, content: dict[str, Any]) -> None:
    """The first message of a turn answers the tap that caused it."""
    tap, writer.tap = writer.tap, None
    fields = writer.place_of_person() | {
        "channel_type": writer.conversation.channel_type,
        "seq": effect.seq,
        "content": content,
        "expires_at": clock.after(writer.outputs.now, MESSAGE_LIFE),
    }
    more = (
        ("callback_id", tap), ("expires", effect.expires), ("thread", writer.conversation.thread),
        ("owner_epoch", writer.conversation.owner_epoch), ("agent_id", effect.agent and effect.agent["id"]),
    )  # fmt: skip
    fields |= {name: value for name, value in more if value}
    writer.action("send_message", fields, id=id)


def _acknowledge(writer: TurnWriter, tap: str) -> None:
    """A tap that no message answers: the person's button would show that it is still at work."""
    conversation = writer.conversation
    if conversation.channel_type not in writer.event.around.in_house:
        place = {"channel_id": conversation.channel_id, "channel_type": conversation.channel_type}
        writer.action("acknowledge_tap", place | {"callback_id": tap})


def supersede_messages(writer: TurnWriter, effect: model.SupersedeMessages) -> None:
    """The bot's messages on their way; there are none of a channel that is in house."""
    if writer.conversation.channel_type not in writer.event.around.in_house:
        writer.action("supersede_messages", {"owner_epoch": writer.conversation.owner_epoch})


def call_api(writer: TurnWriter, effect: model.CallApi) -> None:
    """A call of a named API, whose answer comes back as `call_result`."""
    id = writer.outputs.new_id()
    writer.calls.append((id, "call_api", effect.api))
    api = writer.find_api(writer.conversation.project_id, effect.api)
    if api is None or api.kind != "http":
        _no_such_api(writer, id, effect)
        return
    fields = {"api_call_id": api.id, "params": effect.params, "wait": effect.wait, "response": api.response}
    writer.action("call_api", fields | writer.place_of_person() | _hops(writer, effect), id=id)


def _hops(writer: TurnWriter, effect: model.CallApi | model.AskModel | model.ReadHistory) -> dict[str, int]:
    """Of one of several that a node makes and bounds itself: as far from the first cause as what brought it here."""
    return {"hops": writer.event.body.hops} if effect.goes_on else {}


def ask_model(writer: TurnWriter, effect: model.AskModel) -> None:
    """A question to a model, with what the registry says of its tools; the answer comes back as `call_result`."""
    id, project = writer.outputs.new_id(), writer.conversation.project_id
    writer.calls.append((id, "ask_model", effect.model))
    found = writer.find_api(project, effect.model)
    if found is None or found.kind != "model":
        _unanswered(writer, id, effect.wait, "unknown-model", f"There is no model named {effect.model[:100]!r}.")
        return
    tools = [api for name in effect.tools if (api := writer.find_api(project, name)) is not None and api.kind == "http"]
    fields: dict[str, Any] = {
        "api_call_id": found.id,
        "messages": effect.messages,
        "tools": [{"name": api.name, "description": api.description, "parameters": api.parameters} for api in tools],
        "may_call": effect.may_call,
        "answer_schema": effect.answer_schema,
        "spent": effect.spent,
        "seconds": effect.seconds,
        "wait": effect.wait,
    }
    writer.action("ask_model", fields | writer.place_of_person() | _hops(writer, effect), id=id)


def read_history(writer: TurnWriter, effect: model.ReadHistory) -> None:
    """The chat log is read with a record of its own: what it says then is what was saved with this turn."""
    conversation, id = writer.conversation, writer.outputs.new_id()
    cut = effect.cut or {"before": writer.next_place, "without": str(as_uuid(effect.event))}
    body = {"kind": "read_history", "bot_id": conversation.bot_id, "wait": effect.wait, "limit": effect.limit, **cut}
    writer.outputs.inbound(id, conversation.key, body | writer.place_of_person() | _hops(writer, effect))


def _no_such_api(writer: TurnWriter, id: str, effect: model.CallApi) -> None:
    _unanswered(writer, id, effect.wait, "unknown-api", f"There is no API call named {effect.api[:100]!r}.")


def _unanswered(writer: TurnWriter, id: str, wait: str, type: str, detail: str) -> None:
    """The answer that a call without a target gets, by the way that all answers take."""
    body = {
        "kind": "call_result",
        "bot_id": writer.conversation.bot_id,
        **writer.place_of_person(),
        "action_id": id,
        "wait": wait,
        "outcome": "error",
        "error": {"type": type, "detail": detail},
    }
    writer.outputs.inbound(derived_id(id, "result"), writer.conversation.key, body)


def post_webhook(writer: TurnWriter, effect: model.PostWebhook) -> None:
    """A post to a URL that the flow names."""
    contact = writer.contact_view(effect.contact)
    fields = {
        "url": effect.url,
        "format": effect.format,
        "title": effect.title,
        "timestamp": writer.outputs.now,
        "data": {**writer.outputs.shared, "contact": contact, "flow": effect.flow, "node": effect.node},
        "tells_engine": True,
    }
    id = writer.outputs.new_id()
    writer.calls.append((id, "post_webhook", effect.title))
    writer.action("post_webhook", fields, id=id)


def request_action(writer: TurnWriter, effect: model.RequestAction) -> None:
    """An action as the node wants it: a new kind of action needs no row of its own here."""
    id = writer.outputs.new_id()
    writer.calls.append((id, effect.kind, None))
    writer.action(effect.kind, effect.fields, id=id)


def emit_event(writer: TurnWriter, effect: model.EmitEvent) -> None:
    """An event for subscribers."""
    if effect.type == "flow.failed":
        note_failure(effect, writer.conversation)
    data = dict(effect.data)
    if effect.flow:
        data["flow"] = effect.flow
    if effect.node:
        data["node"] = effect.node
    writer.event_for_outside(effect.type, data, effect.contact)
    if writer.flows_listen:
        own_events.note(writer, effect.type, data)


def patch_contact(writer: TurnWriter, effect: model.PatchContact) -> None:
    """A change of the person."""
    writer.patches.append(effect)


def start_timer(writer: TurnWriter, effect: model.StartTimer) -> None:
    """A wait that ends at some time."""
    writer.start_timer(effect.wait, effect.due)


def cancel_timer(writer: TurnWriter, effect: model.CancelTimer) -> None:
    """A wait that ended otherwise."""
    writer.end_timer(effect.wait)


def run_command(writer: TurnWriter, effect: model.RunCommand) -> None:
    """A command for another conversation, as an inbound record; without a person, for this one."""
    conversation = writer.conversation
    id = derived_id(writer.event.id, writer.outputs.new_id())
    body: dict[str, Any] = {"kind": "command", "bot_id": conversation.bot_id, "command": effect.command}
    body["content"] = effect.content
    try:
        key, named = addressed(conversation, effect.person)
    except ValueError as error:
        problem = {"type": "person-not-understood", "detail": str(error)[:500], "command": effect.command[:200]}
        emit_event(writer, model.EmitEvent("flow.failed", {"error": problem}))
        return
    writer.outputs.inbound(id, key, body | named | {"hops": writer.run_hops})


def addressed(conversation: model.Conversation, person: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(the record's key, the fields of its body) for another person of the bot; nobody named: this one.

    Raises ValueError when the person is named in no way there is.
    """
    if not person or person == {"contact_id": conversation.contact_id}:
        here = {"channel_id": conversation.channel_id, "peer_id": conversation.peer_id}
        return conversation.key, here | {"channel_type": conversation.channel_type}
    channel = person.get("channel_id") or conversation.channel_id
    if person.get("peer_id") and channel != NOBODY:
        there = {"channel_id": channel, "peer_id": str(person["peer_id"])}
        return conversation_key(conversation.bot_id, **there), there
    named = shortly_named(Person.model_validate(person))
    fields = {"channel_id": NOBODY, "peer_id": NOBODY, "person": named.model_dump(exclude_none=True)}
    return f"{conversation.bot_id}/{NOBODY}/{named.named()}", fields


WRITERS: dict[type, Callable[[TurnWriter, Any], None]] = {
    model.Say: say,
    model.SupersedeMessages: supersede_messages,
    model.CallApi: call_api,
    model.AskModel: ask_model,
    model.ReadHistory: read_history,
    model.PostWebhook: post_webhook,
    model.RequestAction: request_action,
    model.EmitEvent: emit_event,
    model.PatchContact: patch_contact,
    model.StartTimer: start_timer,
    model.CancelTimer: cancel_timer,
    model.RunCommand: run_command,
}
"""Effect type -> its writer, which raises TooLarge where a record is past its limit."""


_ROWS_ONLY = frozenset((model.StartTimer, model.CancelTimer, model.PatchContact))
"""What makes no record. A turn that fails ends the timers of all sessions that waited, however many those are."""


def write(turn: model.Turn, writer: TurnWriter) -> None:
    """Translate all effects of a turn, in order. Raises TooLarge past a limit."""
    if len(turn.effects) > MOST_EFFECTS:
        _check_count(turn.effects)
    writer.runs = sum([type(effect) is model.RunCommand for effect in turn.effects])
    if writer.runs:
        writer.run_hops = hops_of_runs(writer.event.body.hops, writer.runs)
    for effect in turn.effects:
        WRITERS[type(effect)](writer, effect)
    if writer.tap:
        _acknowledge(writer, writer.tap)
    if writer.own_events:
        own_events.write(writer)


def _check_count(effects: list[model.Effect]) -> None:
    leaving = sum(type(effect) not in _ROWS_ONLY for effect in effects)
    if leaving > MOST_EFFECTS:
        raise TooLarge(f"{leaving} effects, more than {MOST_EFFECTS}")
