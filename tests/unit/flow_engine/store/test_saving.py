"""The statement that saves a batch's conversations, with the rows of other tables."""

from __future__ import annotations

import re
from itertools import combinations

from flow_engine.store.saving import CHANGED, INSERTS, statement


def test_a_table_without_rows_is_not_in_the_statement_and_parameters_have_no_gap() -> None:
    for number in range(len(INSERTS) + 1):
        for tables in combinations(INSERTS, number):
            made = statement(tables)
            assert tuple(re.findall(r"INSERT INTO (\w+)", made)) == tables
            taken = len(CHANGED) + sum(INSERTS[table][0] for table in tables)
            assert {int(one) for one in re.findall(r"\$(\d+)", made)} == set(range(1, taken + 1))
