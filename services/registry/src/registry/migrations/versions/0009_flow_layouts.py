"""Where editors draw the nodes of flows.

The layout goes with the draft, so that a flow deleted by the release before leaves none behind.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE flow_layout (
    flow_id text PRIMARY KEY REFERENCES flow_draft ON DELETE CASCADE,
    version integer NOT NULL,
    layout jsonb NOT NULL,
    size integer GENERATED ALWAYS AS (octet_length(layout::text)) STORED
)
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE flow_layout")
