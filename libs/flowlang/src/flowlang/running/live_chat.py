"""What agents do with a conversation, and what else happens to it while they answer."""

from __future__ import annotations

from flowlang.model import Refused, RunEnd
from flowlang.running import messages, ownership, sessions, starts
from flowlang.running.reachability import why_unreachable
from flowlang.running.run import Run
from flowlang.running.shown import Said, as_shown


def change_owner(run: Run) -> None:
    """`owner`: taken over, assigned, or given back; refused where it is another agent's."""
    data, conversation = run.happening.data, run.conversation
    by = data["by"]
    if ownership.has_agent(conversation) and conversation.owner not in (by["id"], data.get("instead_of")):
        starts.refuse(run, _taken(conversation.owner, conversation.owner_name))
    elif data["to"] == "agent":
        _give(run, by, data.get("agent") or by)
    elif not ownership.with_people(conversation):
        starts.refuse(run, NOT_YOURS)
    elif data["to"] == "bot":
        _release(run, by)
    elif ownership.has_agent(conversation):
        ownership.back_to_queue(run)


def _give(run: Run, by: dict[str, str], agent: dict[str, str]) -> None:
    """Who takes it answers; who is only given it has the time that is left."""
    if run.conversation.owner != agent["id"]:
        ownership.to_agent(run, agent)
    if agent["id"] == by["id"]:
        ownership.answered(run)
        run.conversation.unread = 0


def _release(run: Run, by: dict[str, str]) -> None:
    ownership.to_bot(run, "released", by)
    _go_on(run)


def _go_on(run: Run) -> None:
    """The session that waits for the agents goes on, if its time is not over and it was not lost meanwhile; what another one
    waited for was kept, and is taken after this."""
    sessions.expire_overdue(run)
    session = run.conversation.session
    if session is not None and session.wait is not None and session.wait.kind == "agent":
        messages.resume_with(run, session, run.happening)


def write(run: Run) -> None:
    """`agent_message`: from the agent who has the conversation."""
    data, conversation = run.happening.data, run.conversation
    agent = data["agent"]
    if conversation.owner != agent["id"]:
        taken = ownership.has_agent(conversation)
        starts.refuse(run, _taken(conversation.owner, conversation.owner_name) if taken else NOT_YOURS)
    elif (refused := why_unreachable(conversation)) is not None:
        starts.refuse(run, refused)
    else:
        ownership.answered(run)
        conversation.unread = 0
        run.rests.append(RunEnd(run.happening.id, "completed", since_seq=conversation.next_seq))
        run.settled.add(run.happening.id)
        said = Said(data["text"], media=data.get("media"), location=data.get("location"))
        for one in as_shown(said, run.tools.channel):
            run.emit(one.effect(conversation.next_seq, agent=agent))
            conversation.next_seq += 1


def note(run: Run) -> None:
    """`agent_note`: it is in the chat log, and nothing else comes of it."""


def have_read(run: Run) -> None:
    """`agent_read`: nothing that the person wrote so far is news."""
    run.conversation.unread = 0


def keep(run: Run) -> None:
    """Something that a session may wait for comes while people answer: it is taken once the bot has the conversation.

    The queue's time-out gives it back to the bot. Of what nothing waits for nothing is kept.
    """
    token, name = run.happening.data.get("wait"), run.happening.data.get("name")
    if token is not None and token == run.conversation.queue_timer:
        ownership.to_bot(run, "timeout")
        _go_on(run)
        return
    for one in (run.conversation.session, *run.conversation.stack):
        wait = one.wait if one is not None else None
        if wait is None or (wait.token != token if token else wait.kind != "event" or wait.data.get("name") != name):
            continue
        messages.enqueue(run)
        return
    run.steps.append({"node": None, "type": run.happening.kind, "port": "late"})


def _taken(id: str, name: str | None) -> Refused:
    return Refused("already-taken", 409, f"{name or 'Another agent'} has this conversation.", id)


NOT_YOURS = Refused(
    "not-your-conversation", 409, "You do not have this conversation: take it over first."
)  # fmt: skip
