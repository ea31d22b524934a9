"""Who listens to a conversation, kept in its row: callers of a run that is not at rest, attached instances, used links."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts.inbound import ReplyTo

CALLER_MS = 60_000
"""A caller is forgotten this long after its request: every deadline is shorter."""
MOST_CALLERS, MOST_ATTACHED, MOST_LINKS = 32, 64, 256


class WaitingCaller(msgspec.Struct):
    """Waits for what becomes of the event `cause`. `messages` are ChatMessage objects sent meanwhile."""

    cause: str
    instance: str
    partition: int
    request_id: str
    at_ms: int
    is_url: bool = False
    messages: list[dict[str, Any]] = []


class Attached(msgspec.Struct):
    """An ingress instance that gets copies of the bot's messages until `until` (RFC 3339 UTC)."""

    partition: int
    until: str


class Listeners(msgspec.Struct, omit_defaults=True):
    """Empty for almost every conversation, and then nothing is stored."""

    callers: list[WaitingCaller] = []
    attached: dict[str, Attached] = {}
    used_links: list[str] = []

    def add_caller(self, reply_to: ReplyTo, *, event_id: str, at_ms: int, is_url: bool) -> None:
        """Keep a caller whose event is not at rest after this turn."""
        caller = WaitingCaller(event_id, reply_to.instance, reply_to.partition, reply_to.request_id, at_ms, is_url)
        self.callers = [*self.callers, caller][-MOST_CALLERS:]

    def take_callers(self, cause: str, *, urls: bool = True) -> list[WaitingCaller]:
        """Those who wait for that event, who opened a URL only if told; they are removed."""
        taken = [caller for caller in self.callers if caller.cause == cause and (urls or not caller.is_url)]
        if taken:
            self.callers = [caller for caller in self.callers if caller not in taken]
        return taken

    def attach(self, instance: str, partition: int, until: str) -> None:
        """A repeated attach lengthens the first."""
        self.attached = dict([*self.attached.items(), (instance, Attached(partition, until))][-MOST_ATTACHED:])

    def use_link(self, link_id: str) -> bool:
        """Spend a single-use link; False when it was spent before."""
        if link_id in self.used_links:
            return False
        self.used_links = [*self.used_links, link_id][-MOST_LINKS:]
        return True

    def forget_old(self, now: str, now_ms: int) -> None:
        """Drop callers past every deadline and leases that ended."""
        self.callers = [caller for caller in self.callers if caller.at_ms > now_ms - CALLER_MS]
        self.attached = {name: lease for name, lease in self.attached.items() if lease.until > now}


_decoder = msgspec.json.Decoder(Listeners)


def load(stored: bytes | None) -> Listeners:
    """What the row holds; None is nobody."""
    return _decoder.decode(stored) if stored else Listeners()


def dump(listeners: Listeners) -> bytes | None:
    """What the row shall hold."""
    if not (listeners.callers or listeners.attached or listeners.used_links):
        return None
    return msgspec.json.encode(listeners)
