"""Listening to conversations: web chat and the Bot API.

This instance attaches to a conversation by a record on inbound: the engine answers with the messages after a seq, and
copies new ones here until the lease ends. A listener that comes while the lease holds costs no record. A gap in the seqs
is filled by attaching again.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from contracts.cloudevents import now_text, rfc3339
from contracts.ids import new_id
from contracts.inbound import Attach, ChannelType
from contracts.replies import ChatMessage, MessagesReply
from ingress.chat.feeds import Feed
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Buckets, Rate
from ingress.ports import Asking
from servicekit.boot_clock import boot_seconds
from servicekit.observability.telemetry import traced
from servicekit.web.asking import WaitingCallers
from servicekit.web.problems import unavailable

LEASE_SECONDS = 300.0
"""The longest that the engine grants; each lease ends up to a fifth earlier, so that renewals spread."""
RENEW_BEFORE = 30.0
BACKLOG_SECONDS = 5.0
"""A backlog that has not come by then is asked for again."""
AFTER_ALL = 2**31 - 1
"""No message has a higher seq: the engine counts them in 32 bits."""
GAP_SECONDS = 0.2
"""A gap that a backlog did not fill is asked for again after this."""
SWEEP_SECONDS = 30.0
KEPT_OF_A_PROJECT = 16 * 1024 * 1024
"""Bytes of messages that are kept for all who listen to a project's conversations. Past it a conversation that grows keeps none: its
listeners have them from the engine, at the rate at which they may attach."""


class Spot(NamedTuple):
    """A conversation, with what an attach record must say of it."""

    project_id: str
    bot_id: str
    channel_id: str
    peer_id: str
    channel_type: ChannelType

    @property
    def key(self) -> str:
        return f"{self.bot_id}/{self.channel_id}/{self.peer_id}"


@dataclass(slots=True)
class _Attached:
    """A conversation that somebody listens to, or did lately."""

    spot: Spot
    feed: Feed
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Replaced at each change, so that every listener of the old one wakes."""
    until: float = 0.0
    """End of the lease, on the boot clock."""
    listeners: int = 0
    asking: asyncio.Task[list[ChatMessage]] | None = None
    asked_after: int = 0
    size: int = 0
    """Bytes of the feed, as they were counted."""

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def covers(self, seq: int) -> bool:
        """Whether all above `seq` is known here, or will be as soon as it is said."""
        return self.feed.whole and seq >= self.feed.floor and self.until - boot_seconds() > RENEW_BEFORE


class Attachments:
    """All conversations that this instance is attached to."""

    def __init__(self, intake: Intake, asker: Asking, attaches_per_second: int, listeners: WaitingCallers) -> None:
        self._intake, self._asker, self.listeners = intake, asker, listeners
        self._rate = Rate(attaches_per_second, 1)
        self._buckets = Buckets(lambda: 1)
        self._attached: dict[str, _Attached] = {}
        self._sizes: dict[str, int] = {}
        """By project: bytes of its conversations' feeds."""
        self._next_sweep = 0.0
        self.closing = False

    def close(self) -> None:
        """Send all listeners home: their next request finds another replica."""
        self.closing = True
        for attached in self._attached.values():
            attached.wake()

    def on_messages(self, reply: MessagesReply) -> None:
        """Copies of new messages (a backlog goes to who asked for it)."""
        found = self._attached.get(reply.conversation)
        if found is not None and reply.request_id is None:
            found.feed.add_copies(reply.messages)
            self._count(found)
            found.wake()

    async def after(self, spot: Spot, seq: int, seconds: float) -> list[ChatMessage]:
        """The messages above `seq`; waits up to `seconds` for the first one. Raises ProblemError 503."""
        attached = self._enter(spot, seq)
        deadline = time.monotonic() + seconds
        try:
            found = await self._known(attached, seq)
            while not found and not self.closing and (left := deadline - time.monotonic()) > 0:
                await self._change(attached, left)
                found = await self._known(attached, seq)
            return found
        finally:
            attached.listeners -= 1

    async def last_seq(self, spot: Spot) -> int:
        """The seq of the last message so far, 0 before the first. Raises ProblemError 503."""
        self._check_rate(spot.project_id)
        reply, _ = await self._ask(spot, AFTER_ALL)
        if reply.last_seq is None:
            raise unavailable("The engine is of an earlier release and does not tell the last message: come again.")
        return reply.last_seq

    async def _known(self, attached: _Attached, seq: int) -> list[ChatMessage]:
        """What is known above `seq`, after attaching where that is needed."""
        if attached.covers(seq):
            return attached.feed.after(seq)
        if attached.asking is None or attached.asking.done() or attached.asked_after > seq:
            self._check_rate(attached.spot.project_id)
            attached.asked_after = seq
            attached.asking = asyncio.create_task(self._attach(attached, seq))
            attached.asking.add_done_callback(_heard)
        found = await asyncio.shield(attached.asking)
        # Copies may have come since the backlog.
        return attached.feed.after(seq) if attached.covers(seq) else [one for one in found if one.seq > seq]

    async def _attach(self, attached: _Attached, seq: int) -> list[ChatMessage]:
        """Ask for the backlog and for copies from then on. Raises ProblemError 503 when nobody answers."""
        reply, ends = await self._ask(attached.spot, seq)
        found = attached.feed.add_backlog(seq, reply.messages)
        self._count(attached)
        # A backlog may be one part of several: only an empty one says that there is no more.
        attached.until = 0.0 if reply.messages else ends
        attached.wake()
        return found

    async def _ask(self, spot: Spot, seq: int) -> tuple[MessagesReply, float]:
        """The engine's answer to an attach record, and when the lease ends. Raises ProblemError 503 without one."""
        lease = LEASE_SECONDS * random.uniform(0.8, 1.0)  # noqa: S311
        ends = boot_seconds() + lease
        reply_to, future = self._asker.ask()
        record = Attach(
            **spot._asdict(),
            received_at=now_text(),
            instance=reply_to.instance,
            partition=reply_to.partition,
            request_id=reply_to.request_id,
            after=seq,
            until=rfc3339(datetime.now(UTC) + timedelta(seconds=lease)),
        )
        try:
            with traced("ingress.attach", None, project=spot.project_id) as span:
                await self._intake.accept(
                    record, key=spot.key, event_id=new_id(), traceparent=span.traceparent, source="attach"
                )
            async with asyncio.timeout(BACKLOG_SECONDS):
                reply: MessagesReply = await future
                return reply, ends
        except TimeoutError:
            raise unavailable("The conversation's messages are not there yet: ask again.") from None
        finally:
            future.cancel()

    @staticmethod
    async def _change(attached: _Attached, seconds: float) -> None:
        """Return at the next change, when the lease must be renewed, or after `seconds`."""
        renewal = attached.until - RENEW_BEFORE - boot_seconds() if attached.feed.whole else GAP_SECONDS
        try:
            async with asyncio.timeout(max(0.0, min(seconds, renewal))):
                await attached.changed.wait()
        except TimeoutError:
            return

    def _check_rate(self, project_id: str) -> None:
        over = self._buckets.take("attach", project_id, self._rate)
        if over:
            raise unavailable("Too many listeners came at once: come again.", 1 + round(random.uniform(0, 5)))  # noqa: S311

    def _count(self, attached: _Attached) -> None:
        """Its feed has changed: the project's are counted, and this one lets go of what is too much."""
        project, counted = attached.spot.project_id, attached.size
        if self._attached.get(attached.spot.key) is not attached:
            return
        if self._sizes.get(project, 0) - counted + attached.feed.size > KEPT_OF_A_PROJECT:
            attached.feed.let_go()
        attached.size = attached.feed.size
        self._add(project, attached.size - counted)

    def _add(self, project: str, size: int) -> None:
        total = self._sizes.get(project, 0) + size
        if total:
            self._sizes[project] = total
        else:
            self._sizes.pop(project, None)

    def _enter(self, spot: Spot, seq: int) -> _Attached:
        found = self._attached.get(spot.key)
        if found is None:
            self._sweep()
            found = self._attached[spot.key] = _Attached(spot, Feed(seq))
        found.listeners += 1
        return found

    def _sweep(self) -> None:
        """Forget conversations that nobody listens to and whose lease is over."""
        now = boot_seconds()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_SECONDS
        over = [key for key, one in self._attached.items() if not one.listeners and one.until <= now]
        for key in over:
            one = self._attached.pop(key)
            self._add(one.spot.project_id, -one.size)


def _heard(asking: asyncio.Task[list[ChatMessage]]) -> None:
    """Its error is for the listeners; when all of them have gone, it is nobody's."""
    if not asking.cancelled():
        asking.exception()
