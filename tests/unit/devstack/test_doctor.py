"""`switchhook doctor` while the servers that it asks are away."""

import pytest

from devstack.checkpoints import checkpoints
from devstack.doctor import durability
from devstack.errors import StackError
from devstack.stack import Addresses

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
