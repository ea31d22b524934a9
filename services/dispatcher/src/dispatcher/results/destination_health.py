"""How destinations are, over all replicas: pauses, endpoints that fail for long, and what their owners hear of it."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.model.delivery import Delivery, Result
from dispatcher.requests import FINDING_SECONDS
from dispatcher.results import reports
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection

TELL_AFTER_ATTEMPTS = 4
DISABLE_AFTER = "5 days"
"""Without one success in between."""
FINDINGS = ("gone", "failing", "unauthorized")
"""Reasons of a pause that end with a change of the entity."""

_FAILED = """
INSERT INTO destination (name, failures, failing_since) SELECT name, n, now() FROM unnest($1::text[], $2::int[]) AS u(name, n)
ON CONFLICT (name) DO UPDATE SET failures = destination.failures + excluded.failures,
       failing_since = coalesce(destination.failing_since, now()), updated_at = now()
RETURNING name, told, failing_since < now() - $3::text::interval AS too_long
"""
_TOLD = "UPDATE destination SET told = true WHERE name = ANY ($1::text[])"
_PAUSE = """
INSERT INTO destination (name, paused_until, pause_reason)
SELECT name, now() + seconds * interval '1 second', reason FROM unnest($1::text[], $2::float8[], $3::text[]) AS u(name, seconds, reason)
ON CONFLICT (name) DO UPDATE SET paused_until = greatest(destination.paused_until, excluded.paused_until),
       pause_reason = excluded.pause_reason, updated_at = now()
"""
_RESUME = """
UPDATE destination SET paused_until = NULL, pause_reason = NULL
 WHERE name = ANY ($1::text[]) AND pause_reason = ANY ($2::text[])
"""
_LOOK = "UPDATE queue SET next_due = now() WHERE destination = ANY ($1::text[]) AND next_due > now()"
_PAUSES = "SELECT name, extract(epoch FROM paused_until - now())::float8 FROM destination WHERE paused_until > now()"


def well(results: Iterable[Result]) -> list[str]:
    """Destinations that did what was asked of them, sorted."""
    attempted = [each for each in results if each.attempt is not None]
    failed = {each.delivery.destination for each in attempted if not each.healthy}
    return sorted({each.delivery.destination for each in attempted} - failed)


async def learn(connection: Connection, results: Iterable[Result], now: str) -> list[Outgoing]:
    """Keep what failures say about their destinations; events for the endpoints' owners."""
    attempted = [each for each in results if each.attempt is not None]
    failed = {each.delivery.destination: each for each in attempted if not each.healthy}
    await _pause(connection, [each for each in attempted if each.pause])
    if not failed:
        return []
    return await _note_failures(connection, failed, attempted, now)


async def _note_failures(
    connection: Connection, failed: dict[str, Result], attempted: list[Result], now: str
) -> list[Outgoing]:
    names = sorted(failed)
    counts = [sum(each.delivery.destination == name and not each.healthy for each in attempted) for name in names]
    rows = await connection.fetch(_FAILED, names, counts, DISABLE_AFTER)
    made, told, disabled = list[Outgoing](), list[str](), list[str]()
    for row in rows:
        delivery = failed[row["name"]].delivery
        if not delivery.kind.owner_warned:
            continue
        if row["too_long"]:
            disabled.append(row["name"])
            made += reports.endpoint_disabled(delivery, f"No delivery succeeded for {DISABLE_AFTER}.", now)
        elif not row["told"] and _most_attempts(attempted, delivery) >= TELL_AFTER_ATTEMPTS:
            told.append(row["name"])
            made.append(reports.endpoint_failing(delivery, now))
    if told:
        await connection.execute(_TOLD, told)
    if disabled:
        count = len(disabled)
        await connection.execute(_PAUSE, disabled, [FINDING_SECONDS] * count, ["failing"] * count)
    return made


def _most_attempts(attempted: list[Result], delivery: Delivery) -> int:
    same = [each.delivery.attempts for each in attempted if each.delivery.destination == delivery.destination]
    return max(same)


async def _pause(connection: Connection, paused: list[Result]) -> None:
    longest: dict[str, Result] = {}
    for each in paused:
        known = longest.get(each.delivery.destination)
        if known is None or (known.pause or 0) < (each.pause or 0):
            longest[each.delivery.destination] = each
    if longest:
        names = sorted(longest)
        await connection.execute(
            _PAUSE, names, [longest[name].pause for name in names], [longest[name].pause_reason for name in names]
        )


async def pauses(connection: Connection) -> dict[str, float]:
    """Destination -> seconds that it is still paused, as some replica found it."""
    return {row[0]: row[1] for row in await connection.fetch(_PAUSES)}


async def resume(connection: Connection, names: Iterable[str]) -> None:
    """The entities behind these destinations changed: what was found about the old ones holds no more."""
    changed = sorted(names)
    await connection.execute(_RESUME, changed, FINDINGS)
    await connection.execute(_LOOK, changed)
