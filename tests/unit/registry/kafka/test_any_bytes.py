"""Whatever bytes a finding, or a record on the registry's own topic, is made of, it stops nobody."""

from __future__ import annotations

import pytest
from hypothesis import given

from contracts import findings, registry
from registry.kafka.findings_handler import _read
from registry.writing.topic_tail import TopicTail
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record
from support.any_bytes import moving_on, records

FINDING = {"type": "endpoint.disabled", "timestamp": "2026-01-01T00:00:00Z", "data": {"endpoint": {"id": "e"}}}
ENTITY = {"kind": "bot", "id": "a", "generation": 1, "version": 2, "deleted": False}


@given(records(findings.TOPIC.name, [FINDING]))
def test_a_finding(record: Record) -> None:
    with moving_on():
        _read(record)


@pytest.fixture(scope="module")
def tail() -> TopicTail:
    return TopicTail(Cluster("127.0.0.1:1"))


@given(record=records(registry.TOPIC.name, [ENTITY], keys=[b"bot/a", b"_snapshot"]))
def test_a_record_of_the_registry(tail: TopicTail, record: Record) -> None:
    tail._receive([record])
