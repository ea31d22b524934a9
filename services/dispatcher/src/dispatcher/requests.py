"""What one attempt sends, and what its answer meant. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from contracts.registry import HIDDEN
from contracts.web_url import climbs
from dispatcher.errors import NoRequest
from servicekit.credentials.sent_values import CREDENTIAL_WORDS

ANSWER_LIMIT = 64 * 1024
BODY_LIMIT = 8 * 1024
"""Bytes of a request's or an answer's body that an attempt keeps."""
FINDING_SECONDS = 600.0
"""How long a finding holds that the registry has to act upon (endpoint gone, token refused), unless it does before."""
RATE_LIMITED = "rate-limited"
"""Why a destination is paused that was asked too often."""


class Request(NamedTuple):
    """One HTTP request. `headers` are complete; `shown_url` and `shown_headers` are what may be stored.

    `shown_body` None: the body follows from the delivery's payload (`DeliveryKind.body_of`), which is stored already. `secrets` are looked for in the answer.
    """

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    timeout: float
    shown_url: str
    shown_headers: dict[str, str]
    shown_body: bytes | None = None
    secrets: tuple[str, ...] = ()
    step: str = ""
    """What is asked of a platform, for who reads the answer."""
    before: tuple[Any, ...] = ()
    """Requests that are sent first, whatever comes of them (a tap is acknowledged)."""
    then: Callable[[Any], Any] | None = None
    """Reading -> the Request that follows once this one has succeeded; None: it is the last."""
    answer_limit: int = ANSWER_LIMIT
    """Bytes of an answer's body that are read."""


@dataclass(slots=True)
class Reading:
    """What an answer means. `destination_failed`: it speaks against the destination, as a refused person does not."""

    verdict: Literal["succeeded", "retry", "exhausted"]
    code: str | None = None
    detail: str | None = None
    retry_after: float | None = None
    destination_failed: bool = False
    pause: float | None = None
    pause_reason: str | None = None
    answer: Any = None
    provider_message_id: str | None = None
    unreachable: Literal["blocked", "unreachable", "not_in_chat"] | None = None
    chat_waits: float | None = None
    """Nothing more is to be sent to this conversation for so many seconds."""
    chat_or_bot: bool = False
    """The platform does not say whether that is for this conversation or for the whole bot."""
    moved_to: str | None = None
    """The peer's new id: sent there at once, it succeeds."""
    told: Any = None
    """What the channel's platform read in it (channels.reading.Reading), for the steps that follow."""


def shown_headers(headers: dict[str, str]) -> dict[str, str]:
    """Headers as they may be stored: values in the clear that are credentials by their name are hidden."""
    return {name: HIDDEN if _is_secret(name) else value for name, value in headers.items()}


def merged(*parts: Mapping[str, str]) -> dict[str, str]:
    """The headers of all parts; of one name, in whatever case, the last part's alone."""
    names = {name.lower(): name for part in parts for name in part}
    return {name: value for part in parts for name, value in part.items() if names[name.lower()] == name}


def _is_secret(name: str) -> bool:
    lower = name.lower()
    return any(word in lower for word in CREDENTIAL_WORDS)


def without(value: Any, secrets: tuple[str, ...]) -> Any:
    """A JSON value whose texts show none of the secrets; keys stay."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, list):
        return [without(item, secrets) for item in value]
    return {name: without(item, secrets) for name, item in value.items()} if isinstance(value, dict) else value


def checked_url(url: str) -> str:
    """A URL from a configuration or a flow. Raises NoRequest for one whose path leads elsewhere."""
    if climbs(url):
        raise NoRequest("exhausted", "bad-url", "The path of the URL has .. in it.")
    return url


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers from a configuration. Raises NoRequest for one that would break the request's framing."""
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum() or not value.isprintable():
            raise NoRequest("exhausted", "bad-header", f"The header {name[:64]!r} cannot be sent.")
    return dict(headers)
