"""What became of an event: the words for its callers, its repeats and the event log. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from contracts.inbound import ReplyTo
from flow_engine.state.json_text import encode
from flow_engine.state.listeners import Listeners, WaitingCaller
from flow_engine.state.work import Outcome
from flow_engine.turn.outputs import MESSAGES_LIMIT, Outputs, in_portions, newest_that_fit
from flowlang.model import Refused, RunEnd, Turn

REFUSALS = {
    "peer-not-reachable": "The bot may not write to this person",
    "contact-not-found": "No such contact",
    "link-gone": "This link does not work any more",
    "with-an-agent": "Agents answer this person",
    "already-taken": "Another agent has this conversation",
    "not-your-conversation": "This is not your conversation",
    "idempotency-key-reused": "Idempotency-Key reused",
}
"""Titles of the problems that the engine decides."""


def problem(type: str, status: int, detail: str, reason: str | None = None) -> dict[str, Any]:
    """contracts.inbound.Problem."""
    title = REFUSALS.get(type) or type.replace("-", " ").capitalize()
    body: dict[str, Any] = {"type": type, "title": title, "status": status, "detail": detail}
    return body | ({"reason": reason} if reason else {})


def refusal(refused: Refused) -> Outcome:
    """The outcome of an event that started nothing."""
    return Outcome("rejected", problem(refused.type, refused.status, refused.detail, refused.reason))


def ending(end: RunEnd, messages: list[dict[str, Any]], *, is_url: bool) -> Outcome:
    """The outcome of an event whose run came to rest. `messages` are those said while it ran, or more."""
    failed = None
    if end.status == "failed":
        detail = end.error or "The flow failed."
        failed = (
            problem("command-failed", 503, detail) if is_url else problem("flow-failed", 500, detail, end.error_type)
        )
    return Outcome(end.status, failed, end.answer, [m for m in messages if m["seq"] >= end.since_seq])


def outcome_of(turn: Turn, event_id: str, said: list[dict[str, Any]], *, is_url: bool) -> Outcome:
    """What the turn of this event says about it; `started` while its run goes on."""
    if turn.refused:
        return refusal(turn.refused)
    for end in turn.rests:
        if end.cause == event_id and not (is_url and end.goes_on):
            return ending(end, said, is_url=is_url)
    return Outcome("started")


def answer(outputs: Outputs, to: ReplyTo | WaitingCaller, event_id: str, outcome: Outcome) -> None:
    """Send a RunReply."""
    body: dict[str, Any] = {
        "kind": "run",
        "instance": to.instance,
        "request_id": to.request_id,
        "event_id": event_id,
        "status": outcome.status,
    }
    if outcome.answer is not None:
        body["answer"] = outcome.answer
    if outcome.messages:
        body["messages"] = newest_that_fit(outcome.messages)
    if outcome.problem:
        body["problem"] = outcome.problem
    if outcome.contact_id:
        body["contact_id"] = outcome.contact_id
    outputs.reply(to.partition, to.request_id, body)


def answer_asker(
    outputs: Outputs, to: ReplyTo, event_id: str, outcome: Outcome, listeners: Listeners, *, at_ms: int, is_url: bool
) -> None:
    """Answer who asked with this event: at once if that can be, else when its run comes to rest."""
    if to.until == "verdict" and outcome.contact_id is None:
        outcome = outcome if outcome.status == "rejected" else Outcome("started")
    if outcome.at_rest or to.until == "verdict":
        answer(outputs, to, event_id, outcome)
    else:
        listeners.add_caller(to, event_id=event_id, at_ms=at_ms, is_url=is_url)


def answer_callers(
    outputs: Outputs, listeners: Listeners, turn: Turn, said: list[dict[str, Any]], event_id: str
) -> None:
    """Answer the callers of earlier events whose runs came to rest, and keep what was said for those who wait on."""
    if not listeners.callers:
        return
    for end in turn.rests:
        for caller in listeners.take_callers(end.cause, urls=not end.goes_on) if end.cause != event_id else ():
            answer(outputs, caller, end.cause, ending(end, [*caller.messages, *said], is_url=caller.is_url))
    if not (listeners.callers and said):
        return
    # All of it is in the conversation's row, which is read and written with each turn: they share what one reply holds.
    limit = MESSAGES_LIMIT // len(listeners.callers)
    fresh = newest_that_fit(said, limit)
    for caller in listeners.callers:
        caller.messages = newest_that_fit([*caller.messages, *fresh], limit)


def copy_to_attached(outputs: Outputs, listeners: Listeners, conversation: str, said: list[dict[str, Any]]) -> None:
    """Give the attached instances what was said."""
    if not said:
        return
    for instance, lease in listeners.attached.items():
        for portion in in_portions(said):
            body = {"kind": "messages", "instance": instance, "conversation": conversation, "messages": portion}
            outputs.reply(lease.partition, None, body)


class Asked(NamedTuple):
    """Who caused an event, and what it asked for: the trigger or the token, and the `request_digest`."""

    trigger_id: str | None
    token_id: str | None
    digest: str | None


def log_body(
    turn: Turn,
    outputs: Outputs,
    said: list[dict[str, Any]],
    outcome: Outcome,
    *,
    asked: Asked | None,
    in_log: bool,
    traced: int | None,
) -> bytes:
    """A line of the event log: what is not empty of {problem, answer, contact_id, trigger_id, token_id, digest, turn,
    steps, seqs, messages, deliveries}.

    `asked` is None in the lines of later turns; `seqs` are (first, last) of its messages in the chat log, which holds them
    unless `in_log` is False. `turn` is the one whose trace has the steps (`traced`); they are here where there is none.
    """
    body: dict[str, Any] = {
        "problem": outcome.problem,
        "answer": outcome.answer,
        "contact_id": outcome.contact_id,
        "trigger_id": asked.trigger_id if asked else None,
        "token_id": asked.token_id if asked else None,
        "digest": asked.digest if asked else None,
        "turn": traced if turn.steps else None,
        "steps": turn.steps if traced is None else None,
        "deliveries": outputs.effects,
    }
    if said and in_log:
        body["seqs"] = (said[0]["seq"], said[-1]["seq"])
    elif said:
        body["messages"] = newest_that_fit(said)
    return encode({name: value for name, value in body.items() if value})
