"""A connection that is lost says so, and a broker that does not let us in is remembered.

Between the loss of a connection and aiokafka's hearing of it, a write to uvloop's closed transport raises RuntimeError.
aiokafka expects OSError there; anything else ends its metadata task in silence, and the client then waits for ever. Seen
in an outage of Kafka: a consumer that did not come back. And of a broker that refuses a login or a certificate aiokafka
only says that there is no broker.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any
from weakref import WeakSet

import structlog
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from servicekit.observability.metrics import counter
from servicekit.outages import KAFKA

REFUSED = (AuthenticationFailedError, SaslAuthenticationFailed)
CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""A handshake that was not ended: a broker that is being restarted, not one that refuses."""
NO_HANDSHAKE = (*CUT_OFF, ConnectionResetError, ConnectionAbortedError, TimeoutError)
"""What a broker without TLS does with a handshake: it hangs up, or waits for the rest of a very long request."""

log = structlog.get_logger()
_send, _connect = AIOKafkaConnection.send, AIOKafkaConnection.connect
_refusals: dict[str, str] = {}
"""Broker (`host:port`) -> why it does not let this process in. Empty as soon as any broker lets it in: what is refused for
a setting's sake is refused by all, and a broker that has left the cluster is never asked again."""

_proven: WeakSet[ssl.SSLContext] = WeakSet()
"""With which a broker has let us in: TLS is what it speaks, so a handshake that is not ended has another reason."""


def refusal() -> str | None:
    """For readiness: why a broker does not let this process in, in a sentence; None when none refuses."""
    return next(iter(_refusals.values()), None)


def send(self: Any, request: Any, expect_response: bool = True) -> Any:
    """In place of `AIOKafkaConnection.send`."""
    _counter_of(type(request).__name__).inc()
    try:
        return _send(self, request, expect_response)
    except KafkaError:  # These are RuntimeErrors, too.
        raise
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} is closed: {error}") from error


async def connect(self: Any) -> Any:
    """In place of `AIOKafkaConnection.connect`."""
    broker = f"{self.host}:{self.port}"
    try:
        streams = await _connect(self)
    except (KafkaError, OSError) as error:
        reason = why_refused(self, error)
        if reason is None:
            KAFKA.failed(f"Kafka at {broker}", error, broker=broker)
        elif _refusals.get(broker) != reason:
            log.error("kafka.refused", broker=broker, reason=reason)
            _refusals[broker] = reason
        raise
    _refusals.clear()
    KAFKA.reached(broker=broker)
    if self._ssl_context is not None:
        _proven.add(self._ssl_context)
    return streams


@cache
def _counter_of(request: str) -> Any:
    return counter("switchhook_kafka_requests_total").labels(request.removesuffix("Request"))


def why_refused(connection: Any, error: BaseException) -> str | None:
    """A sentence that names the settings to look at; None when the broker is merely not there."""
    broker = f"{connection.host}:{connection.port}"
    if isinstance(error, REFUSED):
        return (
            f"Kafka at {broker} refuses the user {connection._sasl_plain_username!r}:"
            " check SWITCHHOOK_KAFKA_USER and SWITCHHOOK_KAFKA_PASSWORD"
        )
    if isinstance(error, IllegalSaslStateError):
        return f"Kafka at {broker} speaks without login: check SWITCHHOOK_KAFKA_SECURITY_PROTOCOL"
    if isinstance(error, UnsupportedSaslMechanismError):
        mechanism = connection._sasl_mechanism
        return f"Kafka at {broker} does not take {mechanism}: check SWITCHHOOK_KAFKA_SASL_MECHANISM"
    return _why_no_tls(connection, broker, error)


def _why_no_tls(connection: Any, broker: str, error: BaseException) -> str | None:
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of Kafka at {broker} is not trusted ({cause.verify_message}): check SWITCHHOOK_KAFKA_CA"
        )
    if _without_handshake(connection, error):
        return (
            f"Kafka at {broker} does not answer a TLS handshake: if it is not just being started, check"
            " SWITCHHOOK_KAFKA_SECURITY_PROTOCOL"
        )
    if isinstance(cause, CUT_OFF):
        return None
    if isinstance(cause, ssl.SSLError):
        return (
            f"there is no TLS connection with Kafka at {broker} ({cause.reason}): check"
            " SWITCHHOOK_KAFKA_SECURITY_PROTOCOL, SWITCHHOOK_KAFKA_CERTIFICATE and SWITCHHOOK_KAFKA_KEY"
        )
    return None


def _without_handshake(connection: Any, error: BaseException) -> bool:
    """Whether the broker may be one without TLS. `_protocol` is set once a connection is made, handshake included."""
    context = connection._ssl_context
    begun = connection._security_protocol.endswith("SSL") and connection._protocol is None
    return begun and context not in _proven and isinstance(error, NO_HANDSHAKE)


def install() -> None:
    """Put both in their places."""
    AIOKafkaConnection.send, AIOKafkaConnection.connect = send, connect
