"""`switchhook doctor` while the servers that it asks are away."""

import pytest

from devstack import doctor
from devstack.checkpoints import Misfit, checkpoints
from devstack.doctor import durability
from devstack.errors import StackError
from devstack.stack import Addresses
from servicekit.kafka.cluster import Cluster

NOWHERE = "127.0.0.1:1"
DSN = f"postgresql://switchhook_registry:password@{NOWHERE}/switchhook"


async def test_kafka_that_does_not_answer_is_a_line_of_the_report():
    running = Addresses(kafka=NOWHERE, own_kafka=True, topic_prefix="", dsns={"registry": DSN}, services={})

    (check,) = [check async for check in durability(running)]

    assert not check.fine
    assert f"Kafka at {NOWHERE} did not answer" in check.advice


async def test_a_database_that_does_not_answer_is_named_without_its_password():
    with pytest.raises(StackError, match=f"PostgreSQL at {NOWHERE} as switchhook_registry") as refused:
        await checkpoints(DSN)

    assert "password" not in str(refused.value)


async def test_a_missing_topic_is_named_with_what_makes_it(monkeypatch: pytest.MonkeyPatch):
    async def missing(cluster: Cluster) -> list[str]:
        return [cluster.named("switchhook.inbound.v1")]

    async def fitting(cluster: Cluster, dsns: object) -> list[Misfit]:
        return []

    monkeypatch.setattr(doctor, "missing_topics", missing)
    monkeypatch.setattr(doctor, "misfits", fitting)
    running = Addresses(kafka=NOWHERE, own_kafka=True, topic_prefix="blue.", dsns={}, services={})

    wrong = [check async for check in durability(running) if not check.fine]

    assert [check.what for check in wrong] == ["the topic blue.switchhook.inbound.v1 does not exist"]
    assert "`./switchhook topics create`" in wrong[0].advice
