"""What an operator is told of a restored registry: each entity by the name that its users gave it."""

from __future__ import annotations

import orjson
import pytest

from registry.accept_restore import NamedTail
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record

STATE = {"generation": 1, "version": 1}


@pytest.mark.parametrize(
    "other",
    [
        ("_snapshot", orjson.dumps({"generation": 1, "counts": {}})),
        ("token/b", orjson.dumps({**STATE, "deleted": True})),
        ("token/b", orjson.dumps({**STATE, "data": {}})),
        ("token/b", b"[]"),
        ("token/b", b"\xff"),
        ("token/b", None),
    ],
)
async def test_what_has_no_name_on_the_topic_does_not_hold_up_the_others(other: tuple[str, bytes | None]) -> None:
    """Seen: a snapshot's marker, or a deleted token, ended the reading again and again, and the command never answered."""
    tail = NamedTail(Cluster("127.0.0.1:1"))
    key, value = other
    named = orjson.dumps({**STATE, "data": {"name": "shop"}})
    tail._receive([Record("t", 0, 0, 0, key.encode(), value), Record("t", 0, 1, 0, b"token/a", named)])
    assert tail.names == {"token/a": "shop"}
    assert tail.last["token/a"] == (1, 1)
