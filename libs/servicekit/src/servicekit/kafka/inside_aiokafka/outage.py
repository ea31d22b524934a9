"""A broker that cannot be reached is said once, and again when one is reached; readiness names it as a warning meanwhile.

aiokafka tries several times a second, for each client and with a line or more for each attempt, and no line says that it is
over. A service goes on trying and needs no restart; the operator has to know all the same, at once and by the address.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import structlog

from servicekit.kafka.inside_aiokafka.missing_topics import OncePerMinute

REPEATED = {
    "aiokafka": ("Unable connect to", "Unable to update metadata"),
    "aiokafka.consumer.fetcher": ("Failed fetch messages",),
    "aiokafka.consumer.group_coordinator": ("Group Coordinator Request failed",),
    "aiokafka.producer.sender": ("Got error produce response",),
}
"""Logger -> how the lines begin that aiokafka writes at each attempt while a broker is away."""

log = structlog.get_logger()
_away: dict[str, str] = {}
"""Broker (`host:port`) -> since when it cannot be reached and why. Empty as soon as any broker is: one that has left the
cluster is never tried again, and one that is still away is noted at the next attempt."""


def problem() -> str | None:
    """For the warnings of readiness: which broker this process cannot reach, in a sentence; None when none is missed."""
    return next(iter(_away.values()), None)


def failed(broker: str, error: BaseException) -> None:
    """An attempt to connect failed."""
    if broker not in _away:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        _away[broker] = f"Kafka at {broker} cannot be reached since {since} ({error}); it is tried again all the time"
        log.error("kafka.away", broker=broker, reason=str(error))


def reached(broker: str) -> None:
    """An attempt to connect succeeded."""
    if _away:
        _away.clear()
        log.info("kafka.reached", broker=broker)


def install() -> None:
    """Let aiokafka's lines about it through once a minute each."""
    for logger, beginnings in REPEATED.items():
        logging.getLogger(logger).addFilter(OncePerMinute(*beginnings))
