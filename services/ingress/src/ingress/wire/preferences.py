"""How long a caller of a trigger or of the Bot API wants to wait (RFC 7240, `Prefer`)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ingress.wire.problems import invalid

VERDICT_SECONDS = 5.0
LONGEST_WAIT = 30.0


class CallerWait(NamedTuple):
    """`until`: `kafka` answers as soon as Kafka has the event, `verdict` when the engine judged it, `rest` at its rest."""

    until: Literal["kafka", "verdict", "rest"]
    seconds: float = 0


ASYNC, VERDICT = CallerWait("kafka"), CallerWait("verdict", VERDICT_SECONDS)


def wait_of(prefer: bytes | None, in_body: Any = None) -> CallerWait:
    """What header `Prefer` asks for, else the body's `wait` (seconds), else the verdict.

    A longer wait than allowed is cut. Raises ProblemError 422 when the body's `wait` is no number of seconds.
    """
    if prefer == b"respond-async":
        return ASYNC
    if prefer is not None and (asked := _parse(prefer)) is not None:
        return asked
    return VERDICT if in_body is None else _of_body(in_body)


def _parse(prefer: bytes) -> CallerWait | None:
    wishes = [wish.split(b";", 1)[0].strip().lower() for wish in prefer.split(b",")]
    for wish in wishes:
        name, _, value = wish.partition(b"=")
        seconds = value.strip().strip(b'"')
        if name.strip() == b"wait" and seconds.isdigit() and len(seconds) < 10:
            return _at_rest(int(seconds))
    return ASYNC if b"respond-async" in wishes else None


def _of_body(value: Any) -> CallerWait:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise invalid("/wait", "wait is a number of seconds, 0 to 30.")
    return _at_rest(value)


def _at_rest(seconds: float) -> CallerWait:
    return CallerWait("rest", min(float(seconds), LONGEST_WAIT)) if seconds else VERDICT
