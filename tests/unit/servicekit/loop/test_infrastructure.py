"""Whose fault an error is."""

from __future__ import annotations

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from servicekit.checkpoints.transactions import OutcomeUnknown
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.loop.batches import Infrastructure
from servicekit.loop.infrastructure import is_infrastructure


def no_partition() -> asyncpg.CheckViolationError:
    """As PostgreSQL says that a table has no partition for a row: 23514, and no constraint."""
    return asyncpg.CheckViolationError('no partition of relation "message" found for row')


def constraint_broken() -> asyncpg.CheckViolationError:
    made = asyncpg.CheckViolationError("new row violates check constraint")
    made.constraint_name = "only_row"
    return made


@pytest.mark.parametrize(
    "error",
    [
        Infrastructure("the view is behind"),
        NotAcknowledged(),
        KafkaConnectionError(),
        ConnectionResetError(),
        TimeoutError(),
        asyncpg.LockNotAvailableError(),
        asyncpg.DeadlockDetectedError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.ReadOnlySQLTransactionError(),
        asyncpg.UndefinedTableError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.InterfaceError("connection is closed"),
        OutcomeUnknown(ConnectionResetError()),
        no_partition(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_is_tried_again(error: Exception) -> None:
    assert is_infrastructure(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        KeyError("x"),
        asyncpg.CharacterNotInRepertoireError(),
        asyncpg.NumericValueOutOfRangeError(),
        asyncpg.UniqueViolationError(),
        constraint_broken(),
        asyncpg.exceptions.ProgramLimitExceededError(),
        asyncpg.exceptions._base.DataError("invalid input for query argument $1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_is_the_records_fault(error: Exception) -> None:
    assert not is_infrastructure(error)
