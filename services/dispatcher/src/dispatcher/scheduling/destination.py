"""One target as this process sees it: how much it takes, how quick it is, whether it may be asked at all."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from uuid import UUID

from dispatcher.model.delivery import Delivery, Limits
from dispatcher.scheduling.breaker import Breaker
from dispatcher.scheduling.rate import TokenBucket

WAITING_PER_PLACE = 16
"""Deliveries that may wait in memory for each request that the destination takes at once."""
WAITING_SECONDS = 4.0
"""And no more than it takes in so long."""
LONGEST_WAIT = 2.0
"""Seconds that a delivery waits in memory for a pause or a circuit; for longer waits it goes back to PostgreSQL."""
QUICK_SECONDS = 0.5
"""A destination that answers within this is quick."""
REFUSED_IN_A_ROW = 3
"""So many conversations that are told that it was too much, and none that is served between them, mean the bot's own limit."""
CHATS_KEPT = 1000
"""Past so many, those whose time is over are forgotten."""
ONE = Limits(1)
"""Until its own are known."""
_NEWEST = 0.2
"""Weight of the last attempt in the mean."""


@dataclass(slots=True)
class Destination:
    """`behind`: how many follow in the stretches of those that wait or are on the wire. `began`: when each attempt under way began. Moments are on the monotonic clock, `seconds` is the mean attempt.

    `chats_until`: conversations of a channel to which nothing is sent until then. `refused_in_a_row`: those that were told
    that it was too much, since any other was served.
    """

    name: str
    limits: Limits = ONE
    waiting: deque[Delivery] = field(default_factory=deque)
    behind: int = 0
    began: dict[UUID, float] = field(default_factory=dict)
    seconds: float = 0.0
    paused_until: float = 0.0
    starving: bool = False
    stalled: bool = False
    breaker: Breaker = field(default_factory=Breaker)
    bucket: TokenBucket | None = None
    timer: asyncio.TimerHandle | None = None
    chats_until: dict[str, float] = field(default_factory=dict)
    refused_in_a_row: set[str] = field(default_factory=set)

    @property
    def in_flight(self) -> int:
        return len(self.began)

    def limit(self, whole: Limits, replicas: int, now: float) -> None:
        """Take this process's share of what the destination takes."""
        share = whole
        if replicas > 1:
            share = Limits(max(1, -(-whole.in_flight // replicas)), whole.rate and whole.rate / replicas)
        if share != self.limits:
            self.limits = share
            self.bucket = TokenBucket(share.rate, max(1.0, share.rate), now) if share.rate else None

    def closed_for(self, now: float) -> float:
        """Seconds until it may be asked again; 0 when it may be now."""
        if self.breaker.open_until is None and self.paused_until <= now:
            return 0.0
        return max(self.paused_until - now, self.breaker.waits(now), 0.0)

    def chat_waits(self, chat: str | None, now: float) -> float:
        """Seconds until something may be sent to that conversation."""
        return max(0.0, self.chats_until.get(chat, 0.0) - now) if chat and self.chats_until else 0.0

    def limited(self, chat: str, seconds: float, now: float) -> bool:
        """It was too much for that conversation; whether so many in a row say so that it is for all of them."""
        if len(self.chats_until) >= CHATS_KEPT:
            self.chats_until = {each: until for each, until in self.chats_until.items() if until > now}
        self.chats_until[chat] = now + seconds
        self.refused_in_a_row.add(chat)
        return len(self.refused_in_a_row) >= REFUSED_IN_A_ROW

    def quick(self, now: float) -> bool:
        """Whether it answers at once, as far as it is known, the oldest attempt under way included."""
        oldest = next(iter(self.began.values()), now)
        return max(self.seconds, now - oldest) < QUICK_SECONDS and self.closed_for(now) == 0

    @property
    def places(self) -> int:
        """How many deliveries may be here, in flight or waiting."""
        takes = self.limits.in_flight * WAITING_SECONDS / max(self.seconds, 0.001)
        if self.limits.rate:
            takes = min(takes, self.limits.rate * WAITING_SECONDS)
        return max(1, self.limits.in_flight, min(int(takes), self.limits.in_flight * WAITING_PER_PLACE))

    def room(self, now: float) -> int:
        """How many more deliveries may be leased for it."""
        if self.closed_for(now) > LONGEST_WAIT:
            return 0
        if self.breaker.open_until is not None:
            return max(0, 1 - len(self.waiting) - self.in_flight)
        quick = self.quick(now)
        return max(0, (self.places if quick else self.limits.in_flight) - self.in_hand)

    @property
    def in_hand(self) -> int:
        """How many deliveries for it are here."""
        return len(self.waiting) + self.behind + self.in_flight

    def stretch(self, most: int) -> int:
        """How many of a lane may be leased together: as many as it takes one after the other in WAITING_SECONDS, but for one
        that has failed just now a single one."""
        return 1 if self.breaker.failures else max(1, min(most, int(WAITING_SECONDS / max(self.seconds, 0.001))))

    def soon_has_room(self, wanted: int, seconds: float, now: float) -> bool:
        """Whether it has no room for so many, or half of what may be here, but takes that half in so many seconds."""
        half = self.places // 2
        if self.room(now) >= min(wanted, half) or not self.quick(now):
            return False
        pace = self.limits.in_flight / max(self.seconds, 0.001)
        return half <= min(pace, self.limits.rate or pace) * seconds

    def ended(self, key: UUID, now: float) -> None:
        """An attempt is over."""
        began = self.began.pop(key, now)
        self.seconds += _NEWEST * (now - began - self.seconds)

    def idle(self, now: float) -> bool:
        """Nothing waits, runs, or has to be remembered of it."""
        marked = self.starving or self.stalled or self.timer
        busy = self.waiting or self.began or marked or self.breaker.failures or self.bucket
        return not busy and self.paused_until <= now
