"""Whether a service may save in its database: asked of PostgreSQL while it answers, since a service that has nothing to save
at the moment would not find out, and one that has would only try again."""

from __future__ import annotations

READ_ONLY = "read-only"

_QUESTION = """
    SELECT CASE
        WHEN pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean THEN '{read_only}'
        WHEN NOT has_schema_privilege(to_regnamespace('{schema}')::oid, 'USAGE') THEN 'the schema {schema}'
        ELSE (
            SELECT string_agg(relname::text, ', ' ORDER BY relname) FROM pg_class
            WHERE relnamespace = to_regnamespace('{schema}')::oid AND relkind IN ('r', 'p') AND NOT relispartition
                AND relname <> 'alembic_version'
                AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                    AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
        )
    END
"""


def question(schema: str) -> str:
    """A statement that gives NULL where the service may save, and else what keeps it from that."""
    return _QUESTION.format(schema=schema, read_only=READ_ONLY)


def sentence(answer: str | None) -> str | None:
    """The answer as a sentence for an operator."""
    if answer is None:
        return None
    if answer == READ_ONLY:
        return (
            "PostgreSQL takes no writes: it is read-only, as a standby is. Point SWITCHHOOK_DATABASE to the primary, or"
            " let it be written to; what waits goes on by itself"
        )
    return (
        f"the role of SWITCHHOOK_DATABASE may not read and write {answer}: make it the owner of its schema and of what is in"
        " it; what waits goes on by itself"
    )
