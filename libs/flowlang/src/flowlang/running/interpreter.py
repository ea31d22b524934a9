"""The interpreter: one event in, the next state and the effects out.

Rule 1: no I/O, no clock, no random numbers here; times and ids arrive inside the event. Rule 2: what came in is not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.ids import derived_id
from flowlang.model import Contact, Conversation, Happening, Session, StartTimer, Tools, Turn
from flowlang.running import live_chat, messages, sessions, starts
from flowlang.running.bot_flows import BotFlows
from flowlang.running.copies import copy_conversation
from flowlang.running.ownership import WITH_PEOPLE, with_people
from flowlang.running.run import Run
from flowlang.running.walk import resume

ROOM_FOR_QUEUED = 24
"""With more effects than this a turn takes no queued event: a timer that is due at once begins another turn for it."""


def step(flows: BotFlows, conversation: Conversation, contact: Contact, happening: Happening, tools: Tools) -> Turn:
    """Apply one event. The turn's conversation is one version further, also when nothing else happened.

    A turn with `code` is unfinished: run the code and step again, from the turn's conversation and contact, with
    `code_result`; the turn that comes then holds everything.

    Events that no session waits for and no program starts (reachability, contact_update, message_result, event) do something
    only where a flow of the bot has a trigger that takes them; else the turn is empty.
    """
    if happening.kind in _ONLY_FOR_TRIGGERS and (with_people(conversation) or not flows.listen_to(happening.kind)):
        return _nothing(conversation, contact)
    if happening.kind == "code_result":
        run = _gone_on(conversation, contact, happening)
    else:
        run = Run(flows, conversation, contact, happening, tools)
        if with_people(conversation):
            _WITH_PEOPLE[happening.kind](run)
        else:
            sessions.expire_overdue(run)
            _KINDS[happening.kind](run)
    while run.conversation.queued and run.code is None and not with_people(run.conversation) and _take_queued(run):
        pass
    if run.code is None and happening.kind in _CALLED:
        sessions.answer_idle(run, happening.id)
    return run.turn()


def _nothing(conversation: Conversation, contact: Contact) -> Turn:
    further = copy_conversation(conversation)
    further.version += 1
    return Turn(further, contact)


def _gone_on(conversation: Conversation, contact: Contact, happening: Happening) -> Run:
    """The run of an unfinished turn, with the code's result taken."""
    unfinished = conversation.unfinished
    if not isinstance(unfinished, Run) or unfinished.code is None or unfinished.code.wait != happening.data["wait"]:
        raise ValueError("code_result: step from the conversation of the turn that asked for this code")
    run = unfinished.forked(conversation, contact)
    graph = unfinished.graph
    resume(run, graph, Happening(happening.id, "code_result", run.now, happening.data))
    return run


def _call_result(run: Run) -> None:
    _resume_waiting(run, run.happening.data["wait"], "call")


def _timer(run: Run) -> None:
    token = run.happening.data["wait"]
    session = run.conversation.session
    if session is not None and sessions.expiry_token(run, session) == token:
        session.expires_at = run.now
        sessions.expire_overdue(run)
    else:
        _resume_waiting(run, token, None)


def _resume_waiting(run: Run, token: str, kind: str | None) -> None:
    """Wake the session that waits for this. One that is interrupted takes it later; a used wait takes nothing."""
    session = run.conversation.session
    if session is not None and _waits_for(session, token, kind):
        messages.resume_with(run, session, run.happening)
    elif any(_waits_for(older, token, kind) for older in run.conversation.stack):
        messages.enqueue(run)
    elif not starts.offer(run):
        run.steps.append({"node": None, "type": run.happening.kind, "port": "late"})


def _waits_for(session: Session, token: str, kind: str | None) -> bool:
    wait = session.wait
    return wait is not None and wait.token == token and (kind is None or wait.kind == kind)


def _signal(run: Run) -> None:
    """An event that a session waits for; the innermost one takes it, an interrupted one later, else a trigger may."""
    name = run.happening.data.get("name")
    session = run.conversation.session
    if session is not None and _waits_for_signal(session, name):
        messages.resume_with(run, session, run.happening)
    elif any(_waits_for_signal(older, name) for older in run.conversation.stack):
        messages.enqueue(run)
    else:
        starts.offer(run)


def _waits_for_signal(session: Session, name: Any) -> bool:
    wait = session.wait
    return wait is not None and wait.kind == "event" and wait.data.get("name") == name


def _only_for_triggers(run: Run) -> None:
    starts.offer(run)


def _take_queued(run: Run) -> bool:
    """Take the first queued event that can be taken now. False when none can, or there is no room for more in this turn."""
    if len(run.effects) > ROOM_FOR_QUEUED:
        run.effects.append(StartTimer(derived_id("queue", run.conversation.key, run.version), run.now))
        return False
    for index, queued in enumerate(run.conversation.queued):
        if _has_to_wait(run, queued):
            continue
        before, after = run.conversation.queued[:index], run.conversation.queued[index + 1 :]
        run.conversation.queued = before + after
        happening = Happening(queued["id"], queued["kind"], run.now, queued["data"])
        run.take(happening)
        run.settled.discard(happening.id)
        _QUEUED[happening.kind](run)
        if run.code is None and happening.kind == "message":
            sessions.answer_idle(run, happening.id)
        return True
    return False


def _has_to_wait(run: Run, queued: dict[str, Any]) -> bool:
    """Whether a call is still in flight, or the session that waits for the event still interrupted.

    Taken now, the event would be queued again at once, and so for ever.
    """
    session, stack = run.conversation.session, run.conversation.stack
    if queued["kind"] == "message":
        return session is not None and session.wait is not None and session.wait.kind in sessions.IN_FLIGHT
    if queued["kind"] == "signal":
        name = queued["data"].get("name")
        taken_now = session is not None and _waits_for_signal(session, name)
        return not taken_now and any(_waits_for_signal(older, name) for older in stack)
    token = queued["data"].get("wait")
    return any(older.wait is not None and older.wait.token == token for older in stack)


_ONLY_FOR_TRIGGERS = frozenset(("reachability", "contact_update", "message_result", "event"))
_KINDS: dict[str, Callable[[Run], None]] = {
    "message": messages.receive,
    "start": starts.start,
    "url": starts.open_url,
    "command": starts.run_command,
    "call_result": _call_result,
    "timer": _timer,
    "signal": _signal,
    "owner": live_chat.change_owner,
    "agent_message": live_chat.write,
    "agent_note": live_chat.note,
    "agent_read": live_chat.have_read,
    **dict.fromkeys(_ONLY_FOR_TRIGGERS, _only_for_triggers),
    "event": starts.take_event,
}
_QUEUED: dict[str, Callable[[Run], None]] = _KINDS | {"message": messages.take}
FROM_OUTSIDE = frozenset(_KINDS) - {"call_result", "timer"}
"""Kinds of Happening that nothing of a conversation has asked for."""
_CALLED = frozenset(
    ("message", "start", "url", "command", "signal", "owner", "agent_message", "agent_note", "agent_read")
)
"""Kinds behind which somebody may wait for an answer."""


def _refused(run: Run) -> None:
    starts.refuse(run, WITH_PEOPLE)


_WITH_PEOPLE: dict[str, Callable[[Run], None]] = (
    _KINDS
    | {"message": messages.for_people}
    | dict.fromkeys(("start", "url", "command"), _refused)
    | dict.fromkeys(("call_result", "timer", "signal"), live_chat.keep)
)
"""While agents answer, or are waited for."""
