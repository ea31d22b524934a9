"""Whose fault an error is: a record's, or that of a part which all records need."""

from __future__ import annotations

import asyncpg
from aiokafka.errors import KafkaError

from servicekit.checkpoints.transactions import OutcomeUnknown
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.loop.batches import Infrastructure

RECORDS_FAULT = ("22", "23", "54")
"""SQLSTATE classes that a value can cause: data exception, constraint violation, program limit. The others hold."""
PARTS_FAULT = (Infrastructure, OutcomeUnknown, NotAcknowledged, KafkaError, OSError, asyncpg.InternalClientError)


def is_infrastructure(error: BaseException) -> bool:
    """Whether trying again later may help although nothing about the record changed."""
    if is_missing_partition(error):
        return True
    if isinstance(error, asyncpg.PostgresError):
        return not (error.sqlstate or "").startswith(RECORDS_FAULT)
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # ValueError: asyncpg could not encode an argument.
    return isinstance(error, PARTS_FAULT)  # TimeoutError is an OSError.


def is_missing_partition(error: BaseException) -> bool:
    """Whether a table has no partition of the row's day: 23514 of no constraint. It is the same for every record."""
    return isinstance(error, asyncpg.CheckViolationError) and not error.constraint_name


def disk_problem(where: str, error: BaseException) -> str | None:
    """The sentence about a database that has no room to write, None for any other error."""
    if not isinstance(error, asyncpg.DiskFullError):
        return None
    return f"{where}: the disk of PostgreSQL is full ({error}): free some of it, and what waits goes on by itself"
