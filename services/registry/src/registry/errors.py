"""What the registry refuses, each as the problem that the caller sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from servicekit.web.problems import ProblemError


def invalid(pointer: str, detail: str) -> ProblemError:
    """422 about one field; `pointer` is a JSON pointer into the body, `/scopes/0`."""
    return ProblemError(
        "invalid", 422, "Invalid request", detail, errors=[{"pointer": "#" + pointer, "detail": detail}]
    )


def too_large(kind: str, size: int, limit: int) -> ProblemError:
    """422: one huge entity would hold up all that is published behind it."""
    return ProblemError("entity-too-large", 422, "Too large", f"This {kind} takes {size} bytes; at most {limit}.")


def too_many(what: str, setting: str, most: int) -> ProblemError:
    """409: the project has as many as it may; `limit` is the setting, `most` its value."""
    name = f"SWITCHHOOK_{setting.upper()}"
    detail = f"The limit of {most} {what} is reached ({name})."
    return ProblemError("limit-reached", 409, "Limit reached", detail, limit=name, most=most)


def unstorable() -> ProblemError:
    """422: PostgreSQL cannot hold it."""
    return ProblemError("invalid", 422, "Invalid request", "A text holds the character U+0000, or a number is too big.")


def stale(etag: str) -> ProblemError:
    """412: somebody else changed it since the caller read it."""
    return ProblemError("stale", 412, "Changed meanwhile", f"Its ETag is now {etag}.", headers={"ETag": etag})


def refuse_stale(etag: str, expected: str | None) -> None:
    """Raise 412 when the caller has seen another version (If-Match)."""
    if expected is not None and expected not in ("*", etag):
        raise stale(etag)


def taken(what: str) -> ProblemError:
    """409: a name that must be unique is in use."""
    return ProblemError("name-taken", 409, "Name taken", f"{what} is already in use.")


def in_use(users: Sequence[dict[str, Any]]) -> ProblemError:
    """409 naming who would break."""
    names = ", ".join(f"{user['kind']} {user['name'] or user['id']}" for user in users[:10])
    return ProblemError("in-use", 409, "In use", f"Used by {names}.", used_by=list(users))


def takes_away(users: Sequence[dict[str, Any]]) -> ProblemError:
    """409 naming who uses what a version of a flow no longer has."""
    names = "; ".join(f"{user['kind']} {user['name'] or user['id']}: {user['why']}" for user in users[:10])
    detail = f"This version takes away what is in use: {names}. Send force: true to publish it all the same."
    return ProblemError("in-use", 409, "In use", detail, used_by=list(users))


def bad_key(detail: str) -> ProblemError:
    """400: the Idempotency-Key is empty or too long."""
    return ProblemError("bad-idempotency-key", 400, "Bad Idempotency-Key", detail)


def key_used(detail: str) -> ProblemError:
    """422: the Idempotency-Key came before, with another body."""
    return ProblemError("idempotency-key-reused", 422, "Idempotency-Key reused", detail)


def still_running() -> ProblemError:
    """409: the first request with this Idempotency-Key has not ended."""
    detail = "The first request with this Idempotency-Key is still running."
    return ProblemError("still-running", 409, "Still running", detail, headers={"Retry-After": "1"})


def busy() -> ProblemError:
    """409: another write holds what this one needs."""
    detail = "Another write to the same entity is in progress; send it again."
    return ProblemError("busy", 409, "Busy", detail, headers={"Retry-After": "1"})


def flow_problems(problems: Iterable[dict[str, Any]]) -> ProblemError:
    """422 with all that is wrong in a flow document."""
    listed = list(problems)
    return ProblemError("flow-invalid", 422, "The flow has errors", listed[0]["detail"], errors=listed)


def check_too_costly(why: str, limits: str) -> ProblemError:
    """422: what was to be checked passed a limit of the check."""
    return ProblemError(
        "check-too-costly", 422, "Check too costly", f"The check was given up: {why}. It may take {limits}: send less."
    )


def too_many_checks(most: int) -> ProblemError:
    """429: a project's checks wait for each other."""
    detail = f"{most} requests of this project that need a check are at work or wait; send it again when one has ended."
    return ProblemError("too-many-checks", 429, "Too many checks", detail, headers={"Retry-After": "1"})


def refused_by_platform(words: str) -> ProblemError:
    """422 in the platform's own words."""
    return ProblemError("platform-refused", 422, "The platform refused", words)


def project_needed() -> ProblemError:
    return ProblemError(
        "project-needed", 422, "Project needed", "The operator's token belongs to no project: add ?project=."
    )


def no_answer() -> ProblemError:
    """504: the dispatcher, which makes all outgoing calls, did not answer in time."""
    return ProblemError("no-answer", 504, "No answer", "The dispatcher did not answer in time.")
