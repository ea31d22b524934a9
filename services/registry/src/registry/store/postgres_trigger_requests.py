"""All SQL about the last requests of triggers: 50 of each are kept, for 8 days at most."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import orjson

from contracts.cloudevents import rfc3339
from registry.store.postgres import as_json
from servicekit.loop.batches import Connection

KEPT, KEPT_DAYS = 50, 8
"""For at least so many days the engine knows which events were whose, and names them when that person is erased."""
ADD = """
    INSERT INTO trigger_request (trigger_id, event_id, at, data)
    SELECT trigger_id, event_id, at, data::jsonb
    FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) AS made (trigger_id, event_id, at, data)
"""
TRIM = """
    DELETE FROM trigger_request USING (
        SELECT seq, row_number() OVER (PARTITION BY trigger_id ORDER BY seq DESC) AS place
        FROM trigger_request WHERE trigger_id = ANY($1::text[])
    ) AS ranked
    WHERE trigger_request.seq = ranked.seq AND place > $2
"""
FORGET = "DELETE FROM trigger_request WHERE trigger_id = $1"
FORGET_OLD = "DELETE FROM trigger_request WHERE at < now() - make_interval(days => $1)"
ERASE = "DELETE FROM trigger_request WHERE event_id = ANY ($1::text[])"
LIST = "SELECT event_id, at, data::text AS data FROM trigger_request WHERE trigger_id = $1 ORDER BY seq DESC LIMIT $2"


class TriggerRequest(NamedTuple):
    """`data` is what ingress noted of it: body, status, problem."""

    trigger_id: str
    event_id: str
    at: datetime
    data: dict[str, Any]


async def add(connection: Connection, requests: list[TriggerRequest]) -> None:
    """In the order given; older ones beyond the last 50 of each trigger go."""
    await connection.execute(
        ADD,
        [request.trigger_id for request in requests],
        [request.event_id for request in requests],
        [request.at for request in requests],
        [as_json(request.data) for request in requests],
    )
    await connection.execute(TRIM, list({request.trigger_id for request in requests}), KEPT)


async def latest(connection: Connection, trigger_id: str) -> list[dict[str, Any]]:
    """Newest first, as the API shows them."""
    rows = await connection.fetch(LIST, trigger_id, KEPT)
    return [{"event_id": row["event_id"], **orjson.loads(row["data"]), "at": rfc3339(row["at"])} for row in rows]


async def forget(connection: Connection, trigger_id: str) -> None:
    await connection.execute(FORGET, trigger_id)


async def forget_old(connection: Connection) -> None:
    """Forget those that are past their days."""
    await connection.execute(FORGET_OLD, KEPT_DAYS)


async def erase(connection: Connection, event_ids: list[str]) -> None:
    """Forget those that became events of somebody who was erased."""
    await connection.execute(ERASE, event_ids)
