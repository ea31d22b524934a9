"""What uvloop raises on a lost connection is what aiokafka expects; a broker that refuses us is remembered."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import logging
import ssl
from collections.abc import Iterator
from typing import Any

import aiokafka.client
import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import IllegalSaslStateError, KafkaConnectionError, SaslAuthenticationFailed
from aiokafka.protocol.admin import ApiVersionRequest
from structlog.testing import capture_logs

from servicekit import outages
from servicekit.kafka.inside_aiokafka import connections, repeated_lines

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
        with contextlib.suppress(OSError, KafkaConnectionError, SaslAuthenticationFailed, IllegalSaslStateError):
            await connections.connect(AIOKafkaConnection("127.0.0.1", port))


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Brokers]:
    made = Brokers()
    monkeypatch.setattr(connections, "_connect", made.attempt)
    yield made
    connections._refusals.clear()
    outages.KAFKA.reached()


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


async def test_a_broker_without_logins_is_not_blamed_on_the_password(brokers: Brokers) -> None:
    await brokers.connect(9092, IllegalSaslStateError())
    assert connections.refusal() == (
        "Kafka at 127.0.0.1:9092 speaks without login: check SWITCHHOOK_KAFKA_SECURITY_PROTOCOL"
    )


async def hang_up(reader: asyncio.StreamReader) -> None:
    await reader.read(1)


async def wait_for_more(reader: asyncio.StreamReader) -> None:
    await reader.read()


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
@pytest.mark.parametrize("plaintext_broker", [hang_up, wait_for_more])
async def test_a_broker_that_does_not_speak_tls_is_explained(
    plaintext_broker: Any, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_refusals", {})
    hung_up = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await plaintext_broker(reader)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError):
            await tls_connection(port, protocol).connect()
        await hung_up.wait()
    assert connections.refusal() == (
        f"Kafka at 127.0.0.1:{port} does not answer a TLS handshake: if it is not just being started, check"
        " SWITCHHOOK_KAFKA_SECURITY_PROTOCOL"
    )


def tls_connection(port: int, protocol: str = "SSL", context: ssl.SSLContext | None = None) -> Any:
    return AIOKafkaConnection(
        "127.0.0.1",
        port,
        request_timeout_ms=200,
        security_protocol=protocol,
        ssl_context=context or ssl.create_default_context(),
        sasl_mechanism="PLAIN",
        sasl_plain_username="bob",
        sasl_plain_password="hunter2",
    )


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), ssl.SSLEOFError(8, "UNEXPECTED_EOF")])
async def test_where_tls_has_worked_a_broken_handshake_is_a_restart(brokers: Brokers, error: OSError) -> None:
    context = ssl.create_default_context()
    brokers.outcomes = {9092: None, 9093: error}
    await connections.connect(tls_connection(9092, context=context))
    with pytest.raises(type(error)):
        await connections.connect(tls_connection(9093, context=context))
    assert connections.refusal() is None


async def test_a_broker_that_is_not_there_is_no_refusal_with_tls_either(brokers: Brokers) -> None:
    brokers.outcomes = {9092: ConnectionRefusedError()}
    with pytest.raises(ConnectionRefusedError):
        await connections.connect(tls_connection(9092))
    assert connections.refusal() is None


async def test_a_broker_that_is_away_is_named_until_one_is_reached(brokers: Brokers) -> None:
    assert outages.KAFKA.problem() is None
    await brokers.connect(9092, OSError("Connection refused"))
    await brokers.connect(9092, OSError("Connection refused"))
    assert "Kafka at 127.0.0.1:9092 cannot be reached since" in (outages.KAFKA.problem() or "")
    assert connections.refusal() is None
    await brokers.connect(9092, None)
    assert outages.KAFKA.problem() is None


async def test_the_log_says_once_that_it_is_away_and_once_that_it_is_back(brokers: Brokers) -> None:
    with capture_logs() as lines:
        for outcome in (OSError("Connection refused"), OSError("Connection refused"), None, None):
            await brokers.connect(9092, outcome)
    assert [line["event"] for line in lines] == ["kafka.away", "kafka.reached"]


@pytest.mark.parametrize(
    ("logger", "beginning"), [(name, one) for name, all in repeated_lines.REPEATED.items() for one in all]
)
def test_a_line_of_every_attempt_is_written_once_a_minute_as_aiokafka_writes_it_now(
    caplog: pytest.LogCaptureFixture, logger: str, beginning: str
) -> None:
    repeated_lines.install()
    for _ in range(3):
        logging.getLogger(logger).error(f"{beginning} %s", "node 1")
    assert len(caplog.records) == 1
    module = aiokafka.client if logger == "aiokafka" else importlib.import_module(logger)
    assert beginning in inspect.getsource(module)
