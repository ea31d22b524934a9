"""Which installation this database belongs to."""

from alembic import op

from servicekit.registry_view.stack_id import STACK_TABLE

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(STACK_TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE stack")
