"""How a batch is cut into statements."""

from __future__ import annotations

from datetime import date

from dispatcher.store.rows import INSERTED_BYTES, new_rows, portions
from support.leased import delivery


def test_a_statement_inserts_so_many_bytes_or_one_row() -> None:
    """All rows are in one of them, in their order."""
    third, whole = bytes(INSERTED_BYTES // 3), bytes(INSERTED_BYTES + 1)
    payloads = [third, third, third, third, whole, b"", whole]
    rows = new_rows([delivery(day=date(2026, 11, 22), payload=payload) for payload in payloads])
    cut = list(portions(rows))
    assert [len(part) for part in cut] == [3, 1, 1, 1, 1]
    assert [row for part in cut for row in part] == rows
    assert list(portions([])) == []
