"""`switchhook doctor` while the servers that it asks are away."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from devstack import doctor
from devstack.checkpoints import Checkpoint, Misfit, checkpoints
from devstack.doctor import Check, checks, durability
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
        await checkpoints("dispatcher", DSN)

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


async def test_a_service_whose_database_refuses_it_hides_no_other_services_checkpoints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen: one role's password was changed, and `doctor` compared nothing and said that `dev` would mend it."""
    stopped = Misfit("flow-engine", Checkpoint("switchhook.inbound.v1", 3, 9, "id", 12), "its end was lost")

    async def nothing(_: Cluster) -> list[str]:
        return []

    async def found(_: Cluster, dsns: Mapping[str, str]) -> list[Misfit]:
        if "dispatcher" in dsns:
            refused = asyncpg.InvalidPasswordError("password authentication failed")
            raise StackError(f"PostgreSQL did not give its checkpoints ({refused}).") from refused
        return [stopped] if "flow-engine" in dsns else []

    monkeypatch.setattr(doctor, "missing_topics", nothing)
    monkeypatch.setattr(doctor, "misfits", found)
    dsns = {"dispatcher": DSN, "flow-engine": DSN, "registry": DSN}
    running = Addresses(kafka=NOWHERE, own_kafka=True, topic_prefix="", dsns=dsns, services={})

    wrong = {check.what: check.advice async for check in durability(running) if not check.fine}

    assert list(wrong) == [
        "dispatcher: its checkpoints could not be compared with their logs",
        "flow-engine: its end was lost",
    ]
    refused, lost = wrong.values()
    assert "password authentication failed" in refused
    assert "SWITCHHOOK_DATABASE" in refused
    assert "starts its own servers again" not in refused
    assert stopped.command in lost


@pytest.mark.parametrize("error", [OSError("no such device"), AssertionError(), StackError("Free some disk.")])
async def test_a_check_that_fails_itself_is_a_line_and_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Seen: a traceback in place of the report while Kafka was down."""
    running = Addresses(kafka=NOWHERE, own_kafka=True, topic_prefix="", dsns={}, services={})

    def fail(*_: Any) -> Check:
        raise error

    async def fails(*_: Any) -> AsyncIterator[Check]:
        raise error
        yield

    monkeypatch.setattr(doctor, "running_stack", lambda _: running)
    monkeypatch.setattr(doctor, "memory", fail)
    monkeypatch.setattr(doctor, "readiness", fails)
    found = {check.what: check async for check in checks(tmp_path)}
    assert (found["memory could not be checked"].fine, found["readiness could not be checked"].fine) == (False, False)
    assert "checkpoints could not be compared with their logs" in found
    assert any(what.startswith("PostgreSQL: postgres") for what in found)
