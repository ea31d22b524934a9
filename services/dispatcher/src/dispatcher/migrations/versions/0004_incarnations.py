"""Which topic a checkpoint is about."""

from alembic import op

from servicekit.checkpoints.tables import INCARNATION

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(INCARNATION)


def downgrade() -> None:
    op.execute("ALTER TABLE checkpoint DROP COLUMN incarnation")
