"""A node that is reached and left in a turn is counted in one row."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

COLUMN = """
ALTER TABLE node_count ADD COLUMN IF NOT EXISTS reached bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN node_count.port IS 'by which the node was left; empty: the conversation stayed there';
COMMENT ON COLUMN node_count.times IS 'it was left by the port; without one, of rows of older code: it was reached';
COMMENT ON COLUMN node_count.reached IS 'it was reached, in the turns that left it by the port or stayed';
COMMENT ON COLUMN node_count.input_tokens IS 'of language models that the node asked, in the row without a port';
"""
BACK = """
INSERT INTO node_count (flow_id, flow_version, node, port, part, times, input_tokens, output_tokens, saved_on)
SELECT flow_id, flow_version, node, '', part, sum(reached), 0, 0, saved_on FROM node_count WHERE reached > 0
 GROUP BY flow_id, flow_version, node, part, saved_on
    ON CONFLICT (flow_id, flow_version, saved_on, part, node, port) DO UPDATE SET times = node_count.times + excluded.times;
ALTER TABLE node_count DROP COLUMN reached;
"""


def upgrade() -> None:
    op.execute(COLUMN)


def downgrade() -> None:
    op.execute(BACK)
