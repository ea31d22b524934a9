"""The part of the twin of PostgresDeliveries that is about erased contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatcher.store.erasures import ERASED, TOLD
from dispatcher.store.rows import NewRow


class ErasingInMemory:
    """`tables` are deliveries_in_memory.Tables."""

    tables: Any

    async def erase(self, contact_ids: Sequence[str], conversation: str) -> None:
        """See the port."""
        self.tables.erased |= set(contact_ids)
        for row in self.tables.rows.values():
            if row.new.contact_id in contact_ids and row.new.event_type != TOLD:
                row.new, row.notes = without_content(row.new), []
                row.state = row.state if row.finished else "cancelled"
                row.finished, row.due, row.lease, row.error = True, None, None, ERASED
        for name, (at, records) in self.tables.outbox.items():
            self.tables.outbox[name] = (at, [one for one in records if one.key != conversation.encode()])

    async def forget_erased(self) -> None:
        """Nothing gets old here."""


def without_content(new: NewRow) -> NewRow:
    """The row of a delivery whose contact was erased."""
    return new._replace(
        conversation=None, contact_id=None, lane=None, seq=None, traceparent=None, payload=b"", error=ERASED
    )
