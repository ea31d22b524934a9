"""Messages that are not to be sent any more: an agent took their conversation before they were."""

from alembic import op

revision = "0010"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE delivery ADD COLUMN superseded boolean NOT NULL DEFAULT false"


def upgrade() -> None:
    op.execute(COLUMN)


def downgrade() -> None:
    op.execute("ALTER TABLE delivery DROP COLUMN superseded")
