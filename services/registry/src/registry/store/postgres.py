"""What the modules with SQL share: the pool's type and the numbers of advisory locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

if TYPE_CHECKING:
    import asyncpg

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Pool = Any

SCHEMA = "registry"
RELAY_LOCK = (1, 1)
"""Held for as long as this connection leads the relay."""
IDEMPOTENCY_LOCKS = 2
"""First number of the locks that are held while a request with an Idempotency-Key runs."""
LIMIT_LOCKS = 3
"""First number of the locks that are held from counting what a project has to the end of the write."""


def as_json(value: Any) -> str:
    """A parameter for `$n::text::jsonb`."""
    return orjson.dumps(value).decode()
