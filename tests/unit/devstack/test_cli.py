"""The `switchhook` command, as far as it needs no stack."""

from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from devstack.cli import app
from devstack.secrets_file import new_secrets
from devstack.stack import Addresses
from operations.errors import CommandError
from operations.layout import Layout
from operations.topic_plan import Difference
from servicekit.kafka.cluster import Cluster


@pytest.mark.parametrize("verb", ["dev", "lock", "schemas", "topics"])
def test_help_lists_every_verb(verb: str) -> None:
    assert f" {verb} " in CliRunner().invoke(app, ["--help"]).output


def test_a_service_without_checkpoints_has_no_loss_to_accept() -> None:
    asked = CliRunner().invoke(app, ["topics", "accept-loss", "ingress", "switchhook.inbound.v1", "0"])
    assert isinstance(asked.exception, CommandError)
    assert str(asked.exception).startswith("ingress is no service with a database")


def test_without_topic_and_partition_all_that_stand_still_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    async def accepted(*about: object) -> AsyncIterator[str]:
        asked.append(about[1:])
        yield "one/0 goes on at 0"
        yield "one/1 goes on at 0"

    monkeypatch.setattr("operations.checkpoints.accept_losses", accepted)
    env = {"SWITCHHOOK_KAFKA": "127.0.0.1:9092", "SWITCHHOOK_DATABASE": "postgresql://registry@127.0.0.1/x"}
    for words in (["registry"], ["registry", "one"]):
        answered = CliRunner().invoke(app, ["topics", "accept-loss", *words], env=env)
        assert (answered.exit_code, answered.output) == (0, "one/0 goes on at 0\none/1 goes on at 0\n")
    assert asked == [("registry", env["SWITCHHOOK_DATABASE"], topic) for topic in (None, "one")]


def test_missing_topics_are_made_in_the_stack_that_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `doctor` advises: the command as it stands there names no server."""
    here = Addresses("127.0.0.1:9092", own_kafka=False, topic_prefix="blue.", dsns={}, services={})
    asked: list[tuple[Cluster, Layout]] = []

    async def noted(cluster: Cluster, *, layout: Layout) -> list[str]:
        asked.append((cluster, layout))
        return ["blue.switchhook.actions.v1"]

    monkeypatch.setattr("devstack.operated.running_stack", lambda _: here)
    monkeypatch.setattr("devstack.operated.load_secrets", lambda _: new_secrets())

    async def planned(cluster: Cluster, layout: Layout) -> list[Difference]:
        return [Difference("blue.switchhook.actions.v1", "topic", "missing", "there", "create", "12 partitions")]

    monkeypatch.setattr("operations.topics.create_topics", noted)
    monkeypatch.setattr("operations.topics.plan", planned)
    answered = CliRunner().invoke(app, ["topics", "create"], env={"SWITCHHOOK_KAFKA": ""})
    assert (answered.exit_code, answered.output) == (
        0,
        "blue.switchhook.actions.v1 does not exist: 12 partitions\ncreated blue.switchhook.actions.v1\n",
    )
    assert asked == [(here.cluster, Layout(replicas=1, min_insync=1))]


def test_without_a_stack_topics_need_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.operated.running_stack", lambda _: None)
    answered = CliRunner().invoke(app, ["topics", "create"], env={"SWITCHHOOK_KAFKA": ""})
    assert isinstance(answered.exception, CommandError)
    assert "start `dev`, or give --kafka" in str(answered.exception)
