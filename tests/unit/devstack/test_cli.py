"""The `switchhook` command, as far as it needs no stack."""

import pytest
from typer.testing import CliRunner

from devstack.cli import app
from devstack.errors import StackError
from devstack.stack import Addresses
from servicekit.kafka.cluster import Cluster


@pytest.mark.parametrize("verb", ["dev", "lock", "schemas", "topics"])
def test_help_lists_every_verb(verb: str) -> None:
    assert f" {verb} " in CliRunner().invoke(app, ["--help"]).output


def test_a_service_without_checkpoints_has_no_loss_to_accept() -> None:
    asked = CliRunner().invoke(app, ["topics", "accept-loss", "ingress", "switchhook.inbound.v1", "0"])
    assert isinstance(asked.exception, StackError)
    assert str(asked.exception).startswith("ingress keeps no checkpoint")


def test_missing_topics_are_made_in_the_stack_that_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `doctor` advises: the command as it stands there names no server."""
    here = Addresses("127.0.0.1:9092", own_kafka=False, topic_prefix="blue.", dsns={}, services={})
    asked: list[Cluster] = []

    async def noted(cluster: Cluster, *, replicas: int) -> list[str]:
        asked.append(cluster)
        return ["blue.switchhook.actions.v1"]

    monkeypatch.setattr("devstack.stack.running_stack", lambda _: here)
    monkeypatch.setattr("devstack.topics.create_topics", noted)
    answered = CliRunner().invoke(app, ["topics", "create"], env={"SWITCHHOOK_KAFKA": ""})
    assert (answered.exit_code, answered.output) == (0, "created blue.switchhook.actions.v1\n")
    assert asked == [here.cluster]


def test_without_a_stack_topics_need_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.stack.running_stack", lambda _: None)
    answered = CliRunner().invoke(app, ["topics", "create"], env={"SWITCHHOOK_KAFKA": ""})
    assert isinstance(answered.exception, StackError)
    assert "start `dev`, or give --kafka" in str(answered.exception)
