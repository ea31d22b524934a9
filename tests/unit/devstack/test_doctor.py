"""`switchhook doctor` on a machine where something is wrong."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devstack import doctor
from devstack.doctor import checks
from devstack.errors import StackError
from devstack.secrets_file import new_secrets
from devstack.stack import Addresses
from operations.report import Check

NOWHERE = "127.0.0.1:1"


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
    monkeypatch.setattr("operations.examining.readiness", fails)
    monkeypatch.setattr("devstack.operated.running_stack", lambda _: running)
    monkeypatch.setattr("devstack.operated.load_secrets", lambda _: new_secrets())
    found = {check.what: check async for check in checks(tmp_path)}
    assert (found["memory could not be checked"].fine, found["readiness could not be checked"].fine) == (False, False)
    assert "checkpoints could not be compared with their logs" in found
    assert any(what.startswith("PostgreSQL: postgres") for what in found)
