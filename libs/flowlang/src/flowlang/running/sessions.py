"""The life of sessions in a turn: launched, resting, ended, expired; and who is answered then.

A conversation has one session. One that starts while another waits runs like a call from there: it shares the memory, and
when its path ends the wait goes on. When it comes to a wait for the person, for time or for an event, the older is over;
a call in flight is no such wait. At most MOST_INTERRUPTED wait below it: what a turn may have to end is bounded, and so is what
a conversation holds.
"""

from __future__ import annotations

from contracts.ids import derived_id
from flowlang import clock
from flowlang.graph import Graph
from flowlang.model import CancelTimer, RunEnd, Session, StartTimer, Wait
from flowlang.running.copies import copy_session
from flowlang.running.run import Run

IN_FLIGHT = frozenset(("call", "code"))
"""Waits that callers and interrupted sessions wait through."""
MOST_INTERRUPTED = 6
"""One more ends the oldest. Their events are part of the room that a turn has beside its nodes' (run.ROOM)."""


def expiry_token(run: Run, session: Session) -> str:
    """The token of the timer that ends a session."""
    return derived_id("session", run.conversation.key, session.cause)


def launch(run: Run, graph: Graph, trigger: str, trigger_type: str) -> None:
    """Begin a session in `graph`, on top of the one that waits."""
    interrupted = run.conversation.session
    session = Session(
        flow_id=graph.flow_id,
        flow_version=graph.version,
        cause=run.happening.id,
        acts_for=run.happening.id,
        started_at=run.now,
        expires_at=clock.after(run.now, graph.session_ttl),
        since_seq=run.conversation.next_seq,
        unasked=run.happening.kind == "event",
    )
    if interrupted is not None:
        session.memory = interrupted.memory
        _interrupt(run, interrupted)
    run.stand_in(session)
    run.fresh.add(session.cause)
    run.started = run.started or run.happening.id
    run.settled.add(run.happening.id)
    run.tell("flow.launched", {"trigger": {"id": trigger, "type": trigger_type}}, graph=graph)


def _interrupt(run: Run, session: Session) -> None:
    """Let the session wait below the one that begins, which has its memory: kept twice, a full one would be past a state's limit."""
    session.memory = {}
    stack = [*run.conversation.stack, session]
    run.conversation.stack = stack[-MOST_INTERRUPTED:]
    for older in stack[:-MOST_INTERRUPTED]:
        _forget(run, copy_session(older), "superseded")


def act_for(run: Run) -> None:
    """The session moves on behalf of the present event, whose caller is answered when it rests."""
    session = run.session
    session.acts_for = run.happening.id
    session.said, session.error, session.since_seq = None, None, run.conversation.next_seq
    run.settled.add(run.happening.id)


def stop_waiting(run: Run, session: Session) -> None:
    """The session's wait is used; its timer ends, unless that is what has just fired."""
    wait, session.wait = session.wait, None
    if wait and wait.until and not (run.happening.kind == "timer" and run.happening.data.get("wait") == wait.token):
        run.effects.append(CancelTimer(wait.token))


def rest(run: Run, wait: Wait) -> None:
    """The session waits. Whoever waits for it hears so, unless it waits only for a call."""
    session = run.session
    kept = session.wait is not None and session.wait.token == wait.token
    session.wait = wait
    if wait.until and not kept:
        run.effects.append(StartTimer(wait.token, wait.until))
    if session.cause in run.fresh:
        run.fresh.discard(session.cause)
        run.effects.append(StartTimer(expiry_token(run, session), session.expires_at))
    if wait.kind not in IN_FLIGHT:
        _supersede(run)
        answer(run, session, "waiting", goes_on=wait.kind == "delay")


def _supersede(run: Run) -> None:
    stack, run.conversation.stack = run.conversation.stack, []
    for older in stack:
        _forget(run, copy_session(older), "superseded")


def end(run: Run) -> None:
    """The path has ended: the flow is completed, and an interrupted session waits on with the memory as it is now."""
    session = run.session
    run.tell("flow.completed", {}, graph=run.graph)
    answer(run, session, "completed")
    _leave(run, session)


def fail(run: Run) -> None:
    """The flow cannot go on: its session is over."""
    session = run.session
    answer(run, session, "failed")
    _leave(run, session)


def _leave(run: Run, session: Session) -> None:
    stop_waiting(run, session)
    _end_expiry(run, session)
    _go_back(run, session)


def _go_back(run: Run, session: Session) -> None:
    """The session that this one interrupted waits on, with the memory as it is now."""
    stack = run.conversation.stack
    below = copy_session(stack[-1]) if stack else None
    if below is not None:
        below.memory = session.frames[0].memory if session.frames else session.memory
        run.conversation.stack = stack[:-1]
    run.stand_in(below)


def _end_expiry(run: Run, session: Session) -> None:
    if session.cause in run.fresh:
        run.fresh.discard(session.cause)
    elif run.happening.data.get("wait") != (token := expiry_token(run, session)):
        run.effects.append(CancelTimer(token))


def _forget(run: Run, session: Session, reason: str) -> None:
    """End a session that did not come to its end."""
    stop_waiting(run, session)
    _end_expiry(run, session)
    graph = run.flows.graph(session.flow_id, session.flow_version)
    run.tell("session.expired", {"reason": reason}, graph=graph)
    if session.acts_for not in run.settled:
        answer(run, session, "completed")


def end_all(run: Run) -> None:
    """End all that the person is in the middle of, and what is queued."""
    conversation = run.conversation
    if conversation.session is not None:
        _forget(run, copy_session(conversation.session), "superseded")
    for older in conversation.stack:
        _forget(run, copy_session(older), "superseded")
    for queued in conversation.queued:
        answer_idle(run, queued["id"])
    conversation.stack, conversation.queued = [], []
    run.stand_in(None)


def expire_overdue(run: Run) -> None:
    """End the sessions whose time is over."""
    now = clock.moment(run.now)
    conversation = run.conversation
    if conversation.stack:
        for older in conversation.stack:
            if clock.moment(older.expires_at) <= now:
                _forget(run, copy_session(older), "expired")
        conversation.stack = [older for older in conversation.stack if clock.moment(older.expires_at) > now]
    session = conversation.session
    if session is not None and clock.moment(session.expires_at) <= now:
        _forget(run, session, "expired")
        _go_back(run, session)


def answer(run: Run, session: Session, status: str, *, goes_on: bool = False) -> None:
    """Tell who waits for this session's events what became of them."""
    error = session.error
    for cause in dict.fromkeys((session.acts_for, session.cause)):
        mine = cause == session.acts_for
        run.rests.append(
            RunEnd(
                cause=cause,
                status="failed" if error else status,  # type: ignore[arg-type]
                error=error["detail"] if error else None,
                error_type=error["type"] if error else None,
                answer=session.said if mine else None,
                since_seq=session.since_seq,
                goes_on=goes_on,
            )
        )
        run.settled.add(cause)


def answer_idle(run: Run, event_id: str) -> None:
    """The event moved nothing: who waits for it hears so."""
    if event_id not in run.settled:
        run.settled.add(event_id)
        run.rests.append(RunEnd(cause=event_id, status="completed", since_seq=run.conversation.next_seq))
