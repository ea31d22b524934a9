"""The event whose turn is made apart from its batch is marked, so that whoever takes its partition over finds it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

DEFERRED = """
ALTER TABLE held ADD COLUMN deferred boolean NOT NULL DEFAULT false;
CREATE INDEX held_deferred ON held (part) WHERE deferred;
COMMENT ON COLUMN held.deferred IS 'the first of its conversation, which waits for its turn and for no operator';
"""


def upgrade() -> None:
    op.execute(DEFERRED)


def downgrade() -> None:
    op.execute("DROP INDEX held_deferred")
    op.execute("ALTER TABLE held DROP COLUMN deferred")
