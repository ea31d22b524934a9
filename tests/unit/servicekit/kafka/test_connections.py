"""What uvloop raises on a lost connection is what aiokafka expects."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from servicekit.kafka.inside_aiokafka import connections

connections.install()


class Writer:
    """A stream over a transport that is closed."""

    closed = False

    def write(self, data: bytes) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    def close(self) -> None:
        self.closed = True


async def test_a_write_to_a_closed_transport_is_a_lost_connection() -> None:
    connection: Any = AIOKafkaConnection("127.0.0.1", 9092)
    connection._writer = connection._reader = writer = Writer()
    connection._read_task = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(KafkaConnectionError, match="is closed"):
        connection.send(ApiVersionRequest())
    assert writer.closed


async def test_a_connection_that_was_given_up_says_so_as_before() -> None:
    with pytest.raises(KafkaConnectionError, match=r"^KafkaConnectionError: No connection"):
        AIOKafkaConnection("127.0.0.1", 9092).send(ApiVersionRequest())
