"""What there is of erased contacts, and its end.

STORES names each table that knows people; a test fails for one that is not there.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts import events
from dispatcher.store.queues import QueueRows
from servicekit.kafka.records import pack_outgoing, unpack_outgoing

KEPT_DAYS = 15
"""One more than the dead letters, the topics that keep records longest."""
ERASED = "erased"
"""The error of a delivery whose contact was erased."""
TOLD = "contact.erased"
"""The event that tells subscribers: its deliveries are made all the same, and hold an id only."""
STORES = {
    "delivery": "rows stay for the statistics: without contact, conversation, payload and error; what was unfinished is cancelled",
    "attempt": "those of the contact's deliveries go, with requests and answers",
    "result_outbox": "results for the contact's conversation go, if Kafka does not have them yet",
    "outbox": "holds answers and dead letters on their way to Kafka, for milliseconds while Kafka is there",
    "erased_contact": "holds the contact's id",
}
"""Table of this service that knows people -> how it is erased. A new one: add its statement here, and its line."""

_NOTE = """
INSERT INTO erased_contact (contact_id, until) SELECT id, CURRENT_DATE + $2::int FROM unnest($1::text[]) u(id)
ON CONFLICT (contact_id) DO UPDATE SET until = excluded.until
"""
_HOLD = "SELECT part FROM checkpoint WHERE topic = $1 ORDER BY part FOR NO KEY UPDATE"
_THEIRS = f"""
SELECT id, day FROM delivery WHERE contact_id = ANY ($1::text[]) AND event_type IS DISTINCT FROM '{TOLD}'
 ORDER BY id, day FOR UPDATE
"""
_ATTEMPTS = "DELETE FROM attempt WHERE delivery_id = ANY ($1::uuid[])"
_ERASE = f"""
UPDATE delivery d
   SET state = CASE WHEN d.finished_at IS NULL THEN 'cancelled' ELSE d.state END, finished_at = coalesce(d.finished_at, now()),
       due = NULL, lease = NULL, lane = NULL, seq = NULL, conversation = NULL, contact_id = NULL, traceparent = NULL,
       payload = '', error = '{ERASED}'
  FROM unnest($1::uuid[], $2::date[]) u(id, day) WHERE d.id = u.id AND d.day = u.day
"""
_RESULTS = "SELECT name, payload FROM result_outbox WHERE position($1 IN payload) > 0 ORDER BY name FOR UPDATE"
_KEEP = "UPDATE result_outbox SET payload = $2 WHERE name = $1"
_FORGET = "DELETE FROM erased_contact WHERE until < CURRENT_DATE"


class ErasureRows(QueueRows):
    """The part of a session that is about erased contacts."""

    async def erase(self, contact_ids: Sequence[str], conversation: str) -> None:
        """Each in a statement of its own: it sees what those have saved whom the one before has waited for."""
        run = self._connection
        await run.execute(_NOTE, list(contact_ids), KEPT_DAYS)
        await run.fetch(_HOLD, events.TOPIC.name)
        theirs = await run.fetch(_THEIRS, list(contact_ids))
        ids, days = [row["id"] for row in theirs], [row["day"] for row in theirs]
        await run.execute(_ATTEMPTS, ids)
        await run.execute(_ERASE, ids, days)
        key = conversation.encode()
        for name, payload in await run.fetch(_RESULTS, key):
            others = [one for one in unpack_outgoing(payload) if one.key != key]
            await run.execute(_KEEP, name, pack_outgoing(others))

    async def forget_erased(self) -> None:
        await self._connection.execute(_FORGET)
