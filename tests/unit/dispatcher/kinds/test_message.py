"""How long a message may take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.kinds import message
from support.deliveries import say

NOW = datetime(2026, 11, 21, 6, 25, tzinfo=UTC)
LIFE = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("expires", "end"),
    [
        (None, NOW + LIFE),
        ("2026-11-21T06:27:00.000Z", NOW + timedelta(minutes=2)),
        ("2026-11-21T06:27:00", NOW + timedelta(minutes=2)),
        ("2026-11-21T23:00:00.000Z", NOW + LIFE),
        ("2026-11-21T00:05:00.000Z", NOW - timedelta(hours=6, minutes=20)),
    ],
    ids=["nothing said", "earlier", "without a zone", "later", "over"],
)
def test_its_time_begins_when_it_is_taken_over_unless_its_flow_says_an_earlier_end(
    expires: str | None, end: datetime
) -> None:
    """The engine was away for six hours: what it wrote as the message's end for earlier releases is long over."""
    written = say("Hi").model_copy(update={"expires_at": "2026-11-21T00:05:00.000Z", "expires": expires})
    assert message.KIND.expires(written, NOW) == end
