"""Whom a broadcast is written to, where, and when not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flow_engine.state.broadcasts import Place, QuietHours, Skipped, choose, quiet_until

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NIGHT = QuietHours("22:00", "08:00", "Europe/Riga")


def place(
    channel: str, reachable: str = "subscribed", *, left: bool = False, chat: str = "private", days: float = 0
) -> Place:
    return Place(f"b/{channel}/1", reachable, left, chat, NOW - timedelta(days=days))


def window(channel_id: str) -> timedelta | None:
    return {"tg": None, "web": None, "wa": timedelta(days=1)}[channel_id]


@pytest.mark.parametrize(
    ("places", "channel", "chosen"),
    [
        ([place("tg"), place("web")], None, "b/tg/1"),
        ([place("tg", "blocked"), place("web")], None, "b/web/1"),
        ([place("tg"), place("web")], "web", "b/web/1"),
        ([place("tg")], "web", Skipped("unreachable")),
        ([place("wa", days=0.9)], None, "b/wa/1"),
        ([place("wa", days=1)], None, Skipped("window-closed")),
        ([place("wa", days=2), place("tg", days=3)], None, "b/tg/1"),
        ([place("tg", "unknown"), place("web", "blocked")], None, Skipped("blocked")),
        ([place("tg", left=True), place("web")], None, Skipped("unsubscribed")),
        ([place("tg", left=True), place("web")], "web", Skipped("unsubscribed")),
        ([place("tg", chat="group")], None, Skipped("unreachable")),
        ([place("gone")], None, Skipped("unreachable")),
        ([], None, Skipped("unreachable")),
    ],
)
def test_the_last_used_channel_is_taken_where_the_bot_may_write(
    places: list[Place], channel: str | None, chosen: str | Skipped
) -> None:
    assert choose(places, channel, window, NOW) == chosen


@pytest.mark.parametrize(
    ("at", "timezone", "until"),
    [
        ("2026-11-22T12:00:00Z", None, None),
        ("2026-11-22T20:30:00Z", None, "2026-11-23T06:00:00Z"),
        ("2026-11-22T20:30:00Z", "Europe/London", None),
        ("2026-11-22T20:30:00Z", "no such place", "2026-11-23T06:00:00Z"),
        ("2026-11-22T20:30:00Z", 17, "2026-11-23T06:00:00Z"),
        ("2026-11-23T05:59:00Z", None, "2026-11-23T06:00:00Z"),
        ("2026-11-23T06:00:00Z", None, None),
        ("2026-11-22T03:30:00Z", "America/New_York", "2026-11-22T13:00:00Z"),
        ("2026-10-24T22:00:00Z", None, "2026-10-25T06:00:00Z"),  # Clocks are put back in that night.
    ],
)
def test_quiet_hours_end_in_the_contacts_own_time(at: str, timezone: object, until: str | None) -> None:
    found = quiet_until(NIGHT, timezone, datetime.fromisoformat(at))
    assert found == (datetime.fromisoformat(until) if until else None)


def test_quiet_hours_may_be_by_day() -> None:
    noon = QuietHours("12:00", "14:00")
    assert quiet_until(noon, None, NOW) == NOW + timedelta(hours=2)
    assert quiet_until(noon, None, NOW - timedelta(minutes=1)) is None
    assert quiet_until(None, None, NOW) is None
