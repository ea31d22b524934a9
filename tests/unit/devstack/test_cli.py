"""The `switchhook` command, as far as it needs no stack."""

import pytest
from typer.testing import CliRunner

from devstack.cli import app
from devstack.errors import StackError


@pytest.mark.parametrize("verb", ["dev", "lock", "schemas", "topics"])
def test_help_lists_every_verb(verb: str) -> None:
    assert f" {verb} " in CliRunner().invoke(app, ["--help"]).output


def test_a_service_without_checkpoints_has_no_loss_to_accept() -> None:
    asked = CliRunner().invoke(app, ["topics", "accept-loss", "ingress", "switchhook.inbound.v1", "0"])
    assert isinstance(asked.exception, StackError)
    assert str(asked.exception).startswith("ingress keeps no checkpoint")
