"""What a visitor or an integrator says in a chat of ours, as an inbound record. Shared by web chat and Bot API."""

from __future__ import annotations

from typing import Any

from contracts.cloudevents import now_text
from contracts.ids import derived_id
from contracts.inbound import MessageReceived
from contracts.people import IDENTIFIERS, PROFILE_FIELDS, Identifier, Profile
from ingress.chat.attachments import Spot
from ingress.chat.shared import OF_TYPE, shared_of
from ingress.intake.publishing import digest_of
from ingress.wire.problems import invalid
from servicekit.web.auth import Caller

TEXT_LIMIT = 16_384
PAYLOAD_LIMIT = 1_024
KEY_LIMIT = 128
KINDS = ("text", "choice", "event", *OF_TYPE)


def message_of(
    body: dict[str, Any], spot: Spot, profile: Profile, hops: int, verified: tuple[Identifier, ...] = ()
) -> MessageReceived:
    """The record of `{client_message_id, type, text?, payload?, name?, attachments?}`. Raises ProblemError 422.

    `verified`: the fields of the profile that are more than what somebody says of himself. Its id follows from conversation and client_message_id: sent twice, it is one message.
    """
    said = {name: value for name, value in body.items() if name in ("type", "text", "payload", "name")}
    kind = body.get("type", "text")
    if kind not in KINDS:
        raise invalid("/type", f"type is one of {', '.join(KINDS)}.")
    attachments = shared_of(kind, body.get("attachments")) if kind in OF_TYPE else ()
    if attachments:
        said["attachments"] = attachments
    elif body.get("attachments"):
        raise invalid("/attachments", f"A message of type {kind} has none: its type is {', '.join(OF_TYPE)}.")
    payload_name = "name" if kind == "event" else "payload"
    return MessageReceived(
        **spot._asdict(),
        received_at=now_text(),
        hops=hops,
        message_id=message_id(body, spot),
        type=kind,
        text=_text(body, "text", TEXT_LIMIT, needed=kind == "text"),
        payload=_text(body, payload_name, PAYLOAD_LIMIT, needed=kind in ("choice", "event")),
        attachments=attachments,
        profile=profile,
        verified=verified,
        provider=said,
        request_digest=digest_of(said),
    )


def message_id(body: dict[str, Any], spot: Spot) -> str:
    """The event id of a chat message. Raises ProblemError 422 without a usable client_message_id."""
    key = _text(body, "client_message_id", KEY_LIMIT, needed=True)
    return derived_id(spot.key, key or "")


def _text(body: dict[str, Any], name: str, limit: int, *, needed: bool) -> str | None:
    value = body.get(name)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise invalid(f"/{name}", f"{name} is needed: a text of 1 to {limit} characters.")
    return value


def vouched_for(caller: Caller) -> tuple[Identifier, ...]:
    """What of a profile is verified because this caller tells it: all, of who may write data of people anyway."""
    return IDENTIFIERS if caller.has("data:write") else ()


def profile_of(given: Any, pointer: str = "/contact") -> Profile:
    """What a caller tells of a person. Raises ProblemError 422 naming a field that profiles do not have."""
    if given is None:
        return Profile()
    if not isinstance(given, dict):
        raise invalid(pointer, "contact is an object of profile fields.")
    for name, value in given.items():
        if name not in PROFILE_FIELDS:
            raise invalid(f"{pointer}/{name}", f"{name} is not a profile field; there are {', '.join(PROFILE_FIELDS)}.")
        if value is not None and (not isinstance(value, str) or len(value) > PAYLOAD_LIMIT):
            raise invalid(f"{pointer}/{name}", f"{name} is a text of at most {PAYLOAD_LIMIT} characters.")
    return Profile(**given)
