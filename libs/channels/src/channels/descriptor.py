"""The facts of one type of channel. A change upstream is one line in its package."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from channels.limits import Limits

TYPE = re.compile(r"[a-z][a-z0-9_-]{0,31}")
"""What a type is called in the API, in records and as the name of its entry point."""

Capability = Literal[
    "buttons", "url_buttons", "quick_replies", "image", "video", "audio", "file", "location", "cards", "share_contact",
    "share_location", "tap_acknowledgement", "groups", "repeat_safe",
]  # fmt: skip
"""image to cards: what of a message (contracts.actions.MessageContent) it shows; the rest comes in words. share_contact, share_location: a
quick reply by which the person shares it. tap_acknowledgement: a
tap is to be answered. repeat_safe: a message sent twice under one id is shown once."""

SHOWS: frozenset[Capability] = frozenset(
    (
        "buttons",
        "url_buttons",
        "quick_replies",
        "image",
        "video",
        "audio",
        "file",
        "location",
        "cards",
        "share_contact",
        "share_location",
    )
)
"""What a channel shows of whose messages a program of ours tells all, and leaves to its reader how they look."""


class Credential(NamedTuple):
    """One secret or setting of a channel; `pattern` matches the whole value.

    Origin: `given` by who makes the channel; `made` here at random, shown once, for the platform to send along; `learned`
    from a check. `digested`: its SHA-256 is published with the channel, so that `receive` needs no opened secrets; at
    most one is. Not `secret`: may be shown in stored requests (a group's id).
    """

    name: str
    title: str
    pattern: str = r"[!-~]{1,1024}"
    secret: bool = True
    origin: Literal["given", "made", "learned"] = "given"
    digested: bool = False


class BaseUrl(NamedTuple):
    """Where the platform's API is. `settable`: a channel may name another server, such as one's own or a test's."""

    default: str
    settable: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in `seconds`."""

    count: float
    seconds: float = 1.0

    @property
    def per_second(self) -> float:
        """Requests a second, on average."""
        return self.count / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """`in_flight` requests at once and `bot` are held by the dispatcher, over all its replicas.

    `chat` and `pair` (one person on one channel) are the platform's bounds on a conversation; its messages go out one
    after another, and a `limited` reading of that scope holds them back for as long as the platform says.
    """

    in_flight: int = 4
    bot: Rate | None = None
    chat: Rate | None = None
    pair: Rate | None = None


class Found(NamedTuple):
    """What a platform told of a channel. `learned` values are kept with its credentials, under those names."""

    external_id: str | None = None
    url: str | None = None
    learned: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Check:
    """One call that tells whether credentials are good, or tells the platform where to send what happens.

    `params(found)`: what is not secret of it, from what the checks before it found. `read(answer, found)`: what is known
    after it, from the reading's `answer`. `subscribes`: it makes the platform call us, and needs a public https address.
    """

    method: str
    params: Callable[[Found], Mapping[str, Any]] = lambda found: {}
    read: Callable[[Any, Found], Found] = lambda answer, found: found
    subscribes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPulse:
    """The channel in bodies of the formats `sendpulse` and `sendpulse_legacy`.

    `service` is its name there (None: the type); `numeric_id`: the bot's id is a number; `message_kinds`: each kind of
    message has a key, null when the message is of another kind.
    """

    service: str | None = None
    numeric_id: bool = False
    message_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """All that registry, ingress, engine and dispatcher need to know of a type without asking what it is.

    `inbound_path` follows `/v1/`; its first segment is the door of ingress that serves the type: `in` for platforms.
    `methods`: HTTP methods that the platform calls with. `opens_secrets`: `receive` needs the credentials opened (an app
    secret for an HMAC). `proof_headers`, lower case: what a caller proves itself with, never shown to a flow.
    `credentials_hint` says what credentials look like, `by_hand` what to do at the platform when no check does it.
    `window_seconds`: how long after a person's last message the bot may write; None: always.
    """

    type: str
    title: str
    inbound_path: str = "in/{channel}/{random}"
    methods: tuple[str, ...] = ("POST",)
    credentials: tuple[Credential, ...] = ()
    credentials_hint: str = ""
    base_url: BaseUrl | None = None
    opens_secrets: bool = False
    proof_headers: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    by_hand: str = ""
    limits: Limits = field(default_factory=Limits)
    rates: Rates = field(default_factory=Rates)
    capabilities: frozenset[Capability] = frozenset()
    window_seconds: int | None = None
    sendpulse: SendPulse = field(default_factory=SendPulse)

    @property
    def door(self) -> str:
        """The first path segment after /v1 of the channel's own URLs."""
        return self.inbound_path.partition("/")[0]

    def of_origin(self, origin: Literal["given", "made", "learned"]) -> tuple[Credential, ...]:
        """The credentials that come from there."""
        return tuple(each for each in self.credentials if each.origin == origin)

    def problem(self) -> str | None:
        """What is wrong with the descriptor itself, as a sentence."""
        names = [each.name for each in self.credentials]
        if not TYPE.fullmatch(self.type):
            return f"the type {self.type!r} is not {TYPE.pattern}"
        if len(set(names)) != len(names) or "inbound_url" in names:
            return "two credentials have one name, or one is called inbound_url, which every platform's channel has"
        if sum(each.digested for each in self.credentials) > 1:
            return "more than one credential is digested"
        return None
