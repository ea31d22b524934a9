"""How many records a batch may have."""

from __future__ import annotations

import asyncpg

from servicekit.loop.batch_size import BatchSize


def test_of_a_batch_that_took_too_long_half_is_tried_and_more_once_it_went_well() -> None:
    size = BatchSize(250)
    size.failed(40, TimeoutError())
    assert size.now == 20
    for _ in range(6):
        size.failed(size.now, asyncpg.QueryCanceledError())
    assert size.now == 1
    for _ in range(10):
        size.went_on()
    assert size.now == 250


def test_any_other_failure_says_nothing_of_its_size() -> None:
    size = BatchSize(250)
    size.failed(40, ConnectionResetError())
    assert size.now == 250
