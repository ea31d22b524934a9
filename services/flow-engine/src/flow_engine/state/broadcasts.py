"""Broadcasts as a batch and the walk see them: what is sent, to whom it may be sent now, and what became of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from contracts.ids import split_conversation_key
from contracts.time_zones import time_zones

State = Literal["scheduled", "running", "paused", "completed", "cancelled", "expired"]
Outcome = Literal["waiting", "sending", "started", "skipped", "failed", "cancelled"]
OPEN = frozenset(("waiting", "sending"))
"""Outcomes that are none yet."""


class QuietHours(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "to"}):
    """From when to when nobody is written to, each as HH:MM; `timezone` is that of contacts without one of their own."""

    begin: str
    end: str
    timezone: str = "UTC"


_quiet_hours = msgspec.json.Decoder(QuietHours)


def quiet_hours(stored: bytes | None) -> QuietHours | None:
    """As a row holds them."""
    return None if stored is None else _quiet_hours.decode(stored)


def quiet_until(quiet: QuietHours | None, timezone: object, now: datetime) -> datetime | None:
    """When the quiet hours end that it is in now, in the contact's own time; None: it is in none.

    `timezone`: what the contact's profile says, which may be no time zone at all.
    """
    if quiet is None:
        return None
    zone = ZoneInfo(timezone if isinstance(timezone, str) and timezone in time_zones() else quiet.timezone)
    local, begin, end = now.astimezone(zone), time.fromisoformat(quiet.begin), time.fromisoformat(quiet.end)
    at = local.time()
    if not (begin <= at < end if begin < end else at >= begin or at < end):
        return None
    day = local.date() + timedelta(days=at >= end)
    return datetime.combine(day, end, zone).astimezone(UTC)


class Place(NamedTuple):
    """A conversation of a contact. `reachable`, `opted_out` and `chat` as flowlang.model.Conversation has them."""

    key: str
    reachable: str
    opted_out: bool
    chat: str
    last_user_at: datetime | None


class Skipped(NamedTuple):
    """Why a contact is left out: blocked, unsubscribed, unreachable, window-closed or merged."""

    reason: str


Window = Callable[[str], timedelta | None]
"""By the id of a channel: how long after a person's last message the bot may write there; None: always. KeyError: it is gone."""


def choose(places: Sequence[Place], channel_id: str | None, window: Window, now: datetime) -> str | Skipped:
    """The key of the conversation that the broadcast goes to: the last used one where the bot may write.

    `places` are the contact's, the last used first. Who has unsubscribed on one of them is written to on none.
    """
    theirs = [place for place in places if place.chat == "private"]
    if any(place.opted_out for place in theirs):
        return Skipped("unsubscribed")
    reasons = []
    for place in theirs:
        if channel_id in (None, split_conversation_key(place.key)[1]):
            if (reason := why_not(place, window, now)) is None:
                return place.key
            reasons.append(reason)
    return Skipped(next((reason for reason in reasons if reason != "unreachable"), "unreachable"))


_REASONS = {"blocked": "blocked", "unsubscribed": "unsubscribed"}


def why_not(place: Place, window: Window, now: datetime) -> str | None:
    """Why the bot may not write there; None: it may."""
    if place.opted_out:
        return "unsubscribed"
    if place.reachable != "subscribed":
        return _REASONS.get(place.reachable, "unreachable")
    try:
        length = window(split_conversation_key(place.key)[1])
    except KeyError:
        return "unreachable"
    if length is not None and (place.last_user_at is None or place.last_user_at + length <= now):
        return "window-closed"
    return None


class Broadcast(NamedTuple):
    """What a turn has to know of it. `variables` is JSON; `now` and `is_over` are by PostgreSQL's clock."""

    state: str
    is_over: bool
    now: datetime
    variables: bytes
    quiet_hours: QuietHours | None


class RecipientKey(NamedTuple):
    """A broadcast and a contact, by their ids."""

    broadcast: str
    contact: str


class Recipient(NamedTuple):
    """A row as it was read, with its broadcast."""

    outcome: str
    is_reached: bool
    """A contact that was merged into this one has been begun with."""
    broadcast: Broadcast


class RecipientChange(NamedTuple):
    """What becomes of a recipient whose outcome is open. `part` is the partition of its conversation; `due` is for who waits."""

    broadcast: str
    contact: str
    part: int
    outcome: str
    reason: str | None = None
    due: datetime | None = None
