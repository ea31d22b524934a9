"""The id of a new Kafka cluster is never read as an option."""

import uuid

import pytest

from devstack.embedded_kafka import new_cluster_id


@pytest.mark.parametrize("bits", [0xF8 << 120, 0xFF << 120, 0, 2**128 - 1])
def test_a_cluster_id_begins_with_a_letter(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=bits))
    cluster = new_cluster_id()
    assert cluster[0].isalpha()
    assert len(cluster) == 22
