"""Whose fault an error is."""

from __future__ import annotations

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError

from servicekit.kafka.publisher import NotAcknowledged
from servicekit.loop.batches import Infrastructure
from servicekit.loop.infrastructure import is_infrastructure


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
        asyncpg.exceptions.ProgramLimitExceededError(),
        asyncpg.exceptions._base.DataError("invalid input for query argument $1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_it_is_the_records_fault(error: Exception) -> None:
    assert not is_infrastructure(error)
