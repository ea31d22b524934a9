"""What a caller may say of a broadcast, and what is shown of one."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.time_zones import checked_time_zone

DEFAULT_RATE, HIGHEST_RATE = 20.0, 500.0
LIFE, LONGEST_LIFE = timedelta(days=2), timedelta(days=30)


def _clock(value: str) -> str:
    time.fromisoformat(value)
    return value


Clock = Annotated[str, StringConstraints(pattern=r"^\d\d:\d\d$"), AfterValidator(_clock)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class QuietHours(BaseModel):
    """When nobody is written to, in each contact's own time."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    begin: Annotated[Clock, Field(alias="from")]
    """From this time of day, such as 22:00."""
    end: Annotated[Clock, Field(alias="to")]
    """Until this time of day, such as 08:00."""
    timezone: Annotated[str, AfterValidator(checked_time_zone)] = "UTC"
    """The time zone of contacts of whom none is known, such as Europe/Riga."""

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.begin == self.end:
            raise ValueError("from and to are the same time: leave quiet_hours out where there are none")
        return self


class NewBroadcast(BaseModel):
    """A flow that is started for a segment, or for all contacts of a bot."""

    model_config = ConfigDict(extra="forbid")

    bot: str | None = None
    """Whose contacts, by the bot's id; may be left out where the project has one bot."""
    flow: Id
    """The flow, by its id or slug; it has to be published."""
    entry: Id | None = None
    """The trigger of the flow to begin at, by its id; left out: the flow's start."""
    data: dict[str, Any] = Field(default_factory=dict)
    """What the flow sees as `event.variables`; of these, those that it declares are in its memory."""
    segment: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """Which contacts: the segment, by its id or name, as it is now; left out: all."""
    channel_id: Id | None = None
    """The channel to write on; left out: for each contact the last used one where the bot may write."""
    starts_at: AwareDatetime | None = None
    """When it begins; left out: now."""
    until: AwareDatetime | None = None
    """When it ends, whoever was not reached by then; left out: two days after its beginning."""
    rate: Annotated[float, Field(ge=0.1, le=HIGHEST_RATE)] = DEFAULT_RATE
    """Contacts a second, at most."""
    quiet_hours: QuietHours | None = None
    """When nobody is written to: who is in them is put off until they end."""

    def times(self, now: datetime) -> tuple[datetime, datetime]:
        """When it begins and ends. Raises ValueError where that is no time."""
        begins = max(self.starts_at or now, now)
        ends = self.until or begins + LIFE
        if not begins < ends <= begins + LONGEST_LIFE:
            raise ValueError(f"behind starts_at and now, by {LONGEST_LIFE.days} days at most")
        if begins > now + timedelta(days=366):
            raise ValueError("starts_at is more than a year away")
        return begins, ends


class Counts(BaseModel):
    """How many recipients, by outcome. While it is running, more come to be `recipients` as contacts are walked."""

    recipients: Annotated[int, Field(examples=[1200])]
    """Contacts that were looked at so far."""
    waiting: Annotated[int, Field(examples=[30])]
    """Put off: it is their quiet hours, or the broadcast was paused."""
    sending: Annotated[int, Field(examples=[7])]
    """On their way to their conversation."""
    started: Annotated[int, Field(examples=[1100])]
    """The flow has begun with them."""
    skipped: Annotated[int, Field(examples=[63])]
    """Left out, as nobody may write to them."""
    failed: Annotated[int, Field(examples=[0])]
    """The flow could not go on, or not begin."""
    cancelled: Annotated[int, Field(examples=[0])]
    """Not begun with when it was cancelled, or its time was over."""
    reasons: dict[str, dict[str, int]]
    """Of `skipped`, `failed` and `cancelled`: why, and how many."""


class Broadcast(BaseModel):
    """A flow that is started for a segment, or for all contacts of a bot."""

    id: str
    bot_id: str
    flow_id: str
    entry: str | None
    data: dict[str, Any]
    """What the flow sees as `event.variables`."""
    segment_id: Annotated[str | None, Field(examples=["0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e05"])]
    """Whose members it is for; null: all contacts."""
    channel_id: str | None
    rate: Annotated[float, Field(examples=[20.0])]
    """Contacts a second, at most."""
    quiet_hours: QuietHours | None
    """When nobody is written to."""
    state: Literal["scheduled", "running", "paused", "completed", "cancelled", "expired"]
    starts_at: Annotated[str, Field(examples=["2026-11-21T00:01:00.000Z"])]
    """When it begins, RFC 3339 UTC."""
    until: Annotated[str, Field(examples=["2026-11-23T00:01:00.000Z"])]
    """When it ends, whoever was not reached by then, RFC 3339 UTC."""
    created_at: str
    started_at: str | None
    ended_at: Annotated[str | None, Field(examples=["2026-11-21T01:01:00.000Z"])]
    """When it was completed or cancelled, or its time was over."""
    moment: Annotated[str | None, Field(examples=[None])]
    """Of which moment it is, where the trigger `entry` is a schedule and has made it; null: a program did."""
    walked: bool
    """Whether all contacts have been looked at."""
    counts: Counts
    """How many recipients, by outcome."""


class Broadcasts(BaseModel):
    """One page."""

    items: list[Broadcast]
    next: str | None


class Recipient(BaseModel):
    """What became of a contact in a broadcast."""

    contact_id: str
    outcome: Literal["waiting", "sending", "started", "skipped", "failed", "cancelled"]
    reason: str | None
    """Why, of who was not reached: blocked, unsubscribed, unreachable, window-closed, merged, or the problem of the flow."""
    event_id: str
    """`GET /v1/events/{event_id}` tells what the flow did."""
    due: Annotated[str | None, Field(examples=["2026-11-21T06:00:00.000Z"])]
    """Until when it is put off."""
    at: str
    """When that was noted."""


class Recipients(BaseModel):
    """One page."""

    items: list[Recipient]
    next: str | None
