"""Whatever bytes a command is made of, the batch that it is in is judged, told and over."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import commands
from ingress.commands.bridge import Bridge
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import check_sizes
from servicekit.kafka.records import Record
from support.any_bytes import records
from support.ingress_fakes import BOT, CHANNEL

START: dict[str, Any] = {
    "kind": "start", "bot": BOT, "person": {"peer_id": "5", "channel_id": CHANNEL}, "flow": "reserve", "entry": "bought"
}  # fmt: skip
AUTHORIZED = ("authorization", b"Bearer " + b"a" * 32)


@given(given=st.lists(records(commands.TOPIC.name, [START]), min_size=1, max_size=3), known=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_command(rig: Any, given: list[Record], known: bool) -> None:
    made = rig.ingress
    before = len(rig.publisher.records)
    bridge = Bridge(Cluster("no-kafka:9092", ""), "a", 6, made.commands, made.intake, rig.publisher)
    batch = [each._replace(headers=(*each.headers, AUTHORIZED)) if known else each for each in given]

    async def judged() -> None:
        tasks = await bridge.apply(batch)
        await bridge._verdicts.stop()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(judged())
    check_sizes(rig.publisher.records[before:])
