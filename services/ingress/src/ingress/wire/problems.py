"""What ingress refuses, in the words its callers read."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from contracts.inbound import Problem
from contracts.registry import Channel
from contracts.sentences import sentence
from servicekit.web.problems import ProblemError


def invalid(pointer: str, detail: str, *, type_slug: str = "invalid", title: str = "Invalid request") -> ProblemError:
    """422 about one field; `pointer` is its JSON pointer, empty for the whole body."""
    return ProblemError(type_slug, 422, title, detail, errors=[{"pointer": f"#{pointer}", "detail": detail}])


def not_of_this_trigger() -> ProblemError:
    return ProblemError(
        "token-not-of-this-trigger", 403, "Not this trigger's token",
        "A trigger obeys its own token only; take the one that was chosen for it.",
    )  # fmt: skip


def unpublished(detail: str) -> ProblemError:
    return ProblemError("trigger-unpublished", 404, "Nothing is published behind this trigger", detail)


def peer_needed() -> ProblemError:
    return invalid("/peer_id", "peer_id is needed: this trigger writes in private messages")


def peer_fixed() -> ProblemError:
    return invalid(
        "/peer_id", "This trigger writes in one group chat; leave peer_id out, or give that chat's.",
        type_slug="peer-is-fixed", title="The peer is fixed",
    )  # fmt: skip


def channel_needed() -> ProblemError:
    return invalid(
        "/channel_id", "The bot has several channels: say in channel_id which one the peer_id belongs to.",
        type_slug="channel-needed", title="channel_id is needed",
    )  # fmt: skip


def link_not_found() -> ProblemError:
    """One answer for forged, expired, revoked and used."""
    return ProblemError("link-not-found", 404, "Not found", "This link is not valid, or no longer.")


def not_allowed(*methods: str) -> ProblemError:
    allow = ", ".join(methods)
    return ProblemError(
        "method-not-allowed", 405, "Method not allowed", f"Allowed here: {allow}.", headers={"Allow": allow}
    )


def refuse_paused(channel: Channel) -> None:
    """Raise ProblemError 409 for a channel of ours that is paused: nothing is taken in there, reading goes on."""
    if channel.state == "paused":
        raise ProblemError(
            "channel-paused", 409, "The channel is paused", f"{channel.name!r} takes nothing until its state is active."
        )


def origin_refused(origin: str) -> ProblemError:
    return ProblemError(
        "origin-not-allowed", 403, "Origin not allowed",
        f"Pages of {origin} may not use this chat; add the origin to the channel's allowed_origins.",
    )  # fmt: skip


def too_many_hops(detail: str | None) -> ProblemError:
    """413, which nobody sends again."""
    return ProblemError("too-many-hops", 413, "Too many hops", detail)


def of_reply(found: Problem | None) -> ProblemError:
    """The engine's problem, as the answer to the caller who waited for it."""
    if found is None:
        return ProblemError("rejected", 409, "Not started", "The engine refused it without a reason.")
    return ProblemError(found.type, found.status, found.title, found.detail, reason=found.reason)


def as_body(error: ProblemError) -> dict[str, Any]:
    """The problem as events carry it: type (slug), title, status, detail, and what else it has."""
    body = {"type": error.type_slug, "title": error.title, "status": error.status, "detail": error.detail}
    return {name: value for name, value in {**body, **error.extra}.items() if value is not None}


def invalid_model(error: ValidationError, inside: int = 0) -> ProblemError:
    """422 with an error for each field that the model refused; what was given is not repeated.

    `inside`: how many names at the front of a place are not the document's but those of a choice of models.
    """
    errors = [
        {"pointer": _pointer(one["loc"][inside:]), "detail": sentence(one)}
        for one in error.errors(include_url=False, include_input=False)
    ]
    place = errors[0]["pointer"][1:]
    detail = f"{place}: {errors[0]['detail']}" if place else errors[0]["detail"]
    return ProblemError("invalid", 422, "Invalid request", detail, errors=errors)


def _pointer(place: tuple[int | str, ...]) -> str:
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
