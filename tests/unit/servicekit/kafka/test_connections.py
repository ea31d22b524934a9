"""What uvloop raises on a lost connection is what aiokafka expects; a broker that refuses us is remembered."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed
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


class Brokers:
    """What becomes of an attempt at each: by its port."""

    def __init__(self) -> None:
        self.outcomes: dict[int, BaseException | None] = {}

    async def attempt(self, connection: Any) -> Any:
        if (error := self.outcomes[connection.port]) is not None:
            raise error
        return "streams"

    async def connect(self, port: int, outcome: BaseException | None) -> None:
        """One attempt, with this outcome."""
        self.outcomes[port] = outcome
        with contextlib.suppress(OSError, KafkaConnectionError, SaslAuthenticationFailed):
            await connections.connect(AIOKafkaConnection("127.0.0.1", port))


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Brokers]:
    made = Brokers()
    monkeypatch.setattr(connections, "_connect", made.attempt)
    yield made
    connections._refusals.clear()


async def test_any_broker_that_lets_us_in_ends_the_refusal(brokers: Brokers) -> None:
    await brokers.connect(9092, SaslAuthenticationFailed())
    assert "127.0.0.1:9092 refuses" in (connections.refusal() or "")
    await brokers.connect(9093, OSError("not there"))
    assert "127.0.0.1:9092 refuses" in (connections.refusal() or "")
    await brokers.connect(9094, None)
    assert connections.refusal() is None


def failed(cause: OSError) -> KafkaConnectionError:
    """As aiokafka hands on what ended a handshake."""
    error = KafkaConnectionError("Connection failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        ssl.SSLEOFError(8, "UNEXPECTED_EOF_WHILE_READING"),
        failed(ssl.SSLEOFError(8, "UNEXPECTED_EOF_WHILE_READING")),
    ],
    ids=["reset", "cut off", "cut off, as aiokafka says it"],
)
async def test_a_handshake_that_was_cut_off_is_no_refusal(brokers: Brokers, error: BaseException) -> None:
    await brokers.connect(9092, error)
    assert connections.refusal() is None


async def test_a_handshake_that_fails_is_one(brokers: Brokers) -> None:
    cause = ssl.SSLError(1, "WRONG_VERSION_NUMBER")
    cause.reason = "WRONG_VERSION_NUMBER"
    await brokers.connect(9092, failed(cause))
    assert "no TLS connection" in (connections.refusal() or "")
