"""No record, whatever bytes it is made of, ends who reads it: the loop, the registry view, who waits for replies."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import registry, replies
from contracts.registry import ENTITY_MODELS, SNAPSHOT_KEY
from servicekit.kafka.asker import Asker
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import check_sizes
from servicekit.kafka.records import Record, dead_letter, examine, record_id
from servicekit.registry_view.index import RegistryIndex
from servicekit.registry_view.stamps import stamp_of
from support.any_bytes import records

ENTITY = {"kind": "token", "id": "a", "project_id": "p", "version": 1, "generation": 1, "deleted": False}
BODIES = [
    {**ENTITY, "data": {"id": "a", "project_id": "p", "name": "n", "sha256": "x", "scopes": []}},
    {"generation": 1, "counts": {"token": 1}, "stack_id": "s"},
]
REPLY = {"kind": "run", "instance": "one", "request_id": "r", "event_id": "e", "status": "started"}


@given(records("in"))
def test_a_record_is_looked_into_and_becomes_a_dead_letter(record: Record) -> None:
    source, problem = examine(record)
    assert record_id(record).isprintable()
    assert source is None or len(str(source.offset)) < 19
    check_sizes([dead_letter("ingress", record, "bad-header", problem or "why")])
    if problem is None:
        with contextlib.suppress(ValueError):
            stamp_of({name: (value or b"").decode() for name, value in record.headers})


@given(st.lists(records(registry.TOPIC.name, BODIES, keys=(b"token/a", b"bot/b", SNAPSHOT_KEY.encode())), max_size=4))
def test_the_registry_in_memory_takes_it_or_counts_it(given: list[Record]) -> None:
    index = RegistryIndex()
    for record in given:
        index.apply(record)
    assert index.complete in (True, False)
    for kind in ENTITY_MODELS:
        for id in ("a", "b"):
            index.get(kind, id)


@pytest.fixture(scope="module")
def asker() -> Asker:
    return Asker(Cluster("127.0.0.1:1"), "one")


@given(given=st.lists(records(replies.TOPIC.name, [REPLY]), max_size=3))
def test_who_waits_for_replies_passes_over_it(asker: Asker, given: list[Record]) -> None:
    asker._receive(given)
