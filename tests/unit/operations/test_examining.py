"""What `doctor` says of an installation whose servers are away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

import asyncpg
import pytest

from operations import examining
from operations.checkpoints import Checkpoint, Misfit, checkpoints
from operations.errors import CommandError
from operations.examining import durability, installation_checks
from operations.installation import Installation
from operations.report import Check
from servicekit.kafka.cluster import Cluster

NOWHERE = "127.0.0.1:1"
DSN = f"postgresql://switchhook_registry:password@{NOWHERE}/switchhook"
HERE = Installation("switchhook-ops", "say where", Cluster(NOWHERE, ""))


async def test_kafka_that_does_not_answer_is_a_line_of_the_report() -> None:
    (check,) = [check async for check in durability(HERE)]

    assert not check.fine
    assert f"Kafka at {NOWHERE} did not answer" in check.advice


async def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(CommandError, match=f"PostgreSQL at {NOWHERE} as switchhook_registry") as refused:
        await checkpoints("dispatcher", DSN)

    assert "password" not in str(refused.value)


async def test_a_missing_topic_is_named_with_what_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(cluster: Cluster) -> list[str]:
        return [cluster.named("switchhook.inbound.v1")]

    async def fitting(cluster: Cluster, dsns: object) -> list[Misfit]:
        return []

    monkeypatch.setattr(examining, "missing_topics", missing)
    monkeypatch.setattr(examining, "misfits", fitting)
    running = replace(HERE, cluster=Cluster(NOWHERE, "blue."))

    wrong = [check async for check in durability(running) if not check.fine]

    assert [check.what for check in wrong] == ["the topic blue.switchhook.inbound.v1 does not exist"]
    assert "`switchhook-ops topics create`" in wrong[0].advice


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
            raise CommandError(f"PostgreSQL did not give its checkpoints ({refused}).") from refused
        return [stopped] if "flow-engine" in dsns else []

    monkeypatch.setattr(examining, "missing_topics", nothing)
    monkeypatch.setattr(examining, "misfits", found)
    dsns = {"dispatcher": DSN, "flow-engine": DSN, "registry": DSN}
    running = replace(HERE, dsns=dsns, when_away="it starts again")

    wrong = {check.what: check.advice async for check in durability(running) if not check.fine}

    assert list(wrong) == [
        "dispatcher: its checkpoints could not be compared with their logs",
        "flow-engine: its end was lost",
    ]
    refused, lost = wrong.values()
    assert "password authentication failed" in refused
    assert "SWITCHHOOK_DATABASE" in refused
    assert "it starts again" not in refused
    assert "`switchhook-ops topics accept-loss flow-engine switchhook.inbound.v1 3`" in lost


async def test_checks_look_at_the_same_time_and_are_told_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: with a Kafka that took connections and did not answer, each of four checks took 40 s, one after the other."""
    looking = asyncio.Barrier(3)

    def check(name: str) -> Callable[[Installation], AsyncIterator[Check]]:
        async def checks(here: Installation) -> AsyncIterator[Check]:
            async with asyncio.timeout(10):
                await looking.wait()
            yield Check(name, fine=True)

        return checks

    async def nothing(*_: object) -> AsyncIterator[Check]:
        for each in list[Check]():
            yield each

    for name in ("readiness", "database_checks", "key_checks", "waiting_checks", "disk_checks"):
        monkeypatch.setattr(examining, name, nothing)
    for name in ("durability", "topic_checks", "lag_checks"):
        monkeypatch.setattr(examining, name, check(name))
    told = [check.what async for check in installation_checks(HERE)]
    assert told == ["durability", "topic_checks", "lag_checks"]
