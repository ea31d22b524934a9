"""How far the versions of a flow are retired: no conversation may come to stand on one of those."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RETIRED = """
CREATE TABLE retired_version (
    flow_id text PRIMARY KEY,
    generation int NOT NULL,
    through int NOT NULL
);
COMMENT ON COLUMN retired_version.generation IS 'of the registry that said so: one that was restored since may know better';
COMMENT ON TABLE retired_version IS 'Versions of a flow up to "through" are started by nobody; read when a partition is taken over';
"""


def upgrade() -> None:
    op.execute(RETIRED)


def downgrade() -> None:
    op.execute("DROP TABLE retired_version")
