"""In which version of which flow a conversation waits, and conversations that are taken from one version to another.

An engine of the release before writes none of the columns: what it saves has the place that it had, until a new engine saves it again.
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE conversation
    ADD COLUMN IF NOT EXISTS flow_id text, ADD COLUMN IF NOT EXISTS flow_version int,
    ADD COLUMN IF NOT EXISTS node text, ADD COLUMN IF NOT EXISTS called_from text;
COMMENT ON COLUMN conversation.flow_id IS 'in which flow the conversation is; null: in none';
COMMENT ON COLUMN conversation.node IS 'at which node it waits';
COMMENT ON COLUMN conversation.called_from IS 'ids of flows, with a space between, that wait for the one that it is in';
"""
INDEXES = (
    """
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversation_of_flow ON conversation (flow_id, flow_version, id) WHERE flow_id IS NOT NULL
""",
    """
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversation_called_from
    ON conversation USING gin (string_to_array(called_from, ' ')) WHERE called_from IS NOT NULL
""",
)
"""Neither has the node: a turn that leads from one question of a flow to the next touches no index."""
TABLES = """
CREATE TABLE IF NOT EXISTS flow_migration (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    bot_id text NOT NULL,
    flow_id text NOT NULL,
    to_version int NOT NULL,
    state text NOT NULL DEFAULT 'running',
    version int NOT NULL DEFAULT -1,
    last uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    walked bool NOT NULL DEFAULT false,
    found bigint NOT NULL DEFAULT 0,
    given_up bigint NOT NULL DEFAULT 0,
    stepped_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS flow_migration_running ON flow_migration (flow_id) WHERE state = 'running';
COMMENT ON COLUMN flow_migration.state IS 'running | completed | superseded (another version was published)';
COMMENT ON COLUMN flow_migration.last IS 'with version: the conversation that the walk has come to';
COMMENT ON COLUMN flow_migration.found IS 'conversations that a record was written for';
COMMENT ON COLUMN flow_migration.given_up IS 'records that are not waited for any more';

CREATE TABLE IF NOT EXISTS flow_migration_count (
    migration uuid NOT NULL,
    part int NOT NULL,
    outcome text NOT NULL,
    version int NOT NULL,
    node text NOT NULL,
    reason text NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (migration, part, outcome, version, node, reason)
) WITH (fillfactor = 50);
COMMENT ON TABLE flow_migration_count IS 'What became of conversations, counted by each partition of inbound for itself: nobody waits for a counter';
"""
AT_ONCE = 500
NEXT = r"""
WITH page AS MATERIALIZED (
    SELECT id, convert_from(state, 'UTF8') AS state
      FROM conversation WHERE ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2 FOR NO KEY UPDATE
), read AS MATERIALIZED (
    SELECT id, (CASE WHEN strpos(state, '\u0000') = 0 THEN state
                     ELSE regexp_replace(state, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g') END)::json -> 'session' AS session
      FROM page
), kept AS (
    UPDATE conversation c
       SET flow_id = p.session ->> 'flow_id', flow_version = (p.session ->> 'flow_version')::int,
           node = p.session -> 'wait' ->> 'node',
           called_from = (SELECT string_agg(DISTINCT frame ->> 'flow_id', ' ') FROM json_array_elements(p.session -> 'frames') frame)
      FROM read p WHERE c.id = p.id AND c.flow_id IS NULL AND p.session ->> 'flow_id' IS NOT NULL
)
SELECT id FROM page ORDER BY id DESC LIMIT 1
"""
"""The place of the next conversations, which nobody changes meanwhile. Sessions that an API call has interrupted are over in a minute.
PostgreSQL reads no JSON with a null character, which the memory of a flow may have: it is left out."""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(TABLES)
    with op.get_context().autocommit_block():
        for index in INDEXES:
            op.execute(index)
        run, last = op.get_bind().exec_driver_sql, None
        while last := run(NEXT, (last, AT_ONCE)).scalar():
            pass


def downgrade() -> None:
    op.execute("DROP TABLE flow_migration_count, flow_migration")
    op.execute("DROP INDEX conversation_of_flow, conversation_called_from")
    op.execute(
        "ALTER TABLE conversation DROP COLUMN flow_id, DROP COLUMN flow_version, DROP COLUMN node, DROP COLUMN called_from"
    )
