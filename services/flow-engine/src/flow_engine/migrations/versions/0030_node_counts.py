"""How often the nodes of a flow's versions were reached, and left by which port."""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE node_count (
    flow_id text NOT NULL,
    flow_version int NOT NULL,
    node text NOT NULL,
    port text NOT NULL,
    part int NOT NULL,
    times bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    saved_on date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    PRIMARY KEY (flow_id, flow_version, saved_on, part, node, port)
) PARTITION BY RANGE (saved_on);
COMMENT ON TABLE node_count IS 'Counted by each partition of inbound for itself: nobody waits for a counter';
COMMENT ON COLUMN node_count.port IS 'by which the node was left; empty: it was reached';
COMMENT ON COLUMN node_count.input_tokens IS 'of language models that the node asked, in the row of those that reached it';
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE node_count")
