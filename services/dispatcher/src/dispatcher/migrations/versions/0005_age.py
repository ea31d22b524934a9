"""A number that grows while the dispatcher works, by which a database from a backup is known."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A sequence: what it has given is never given again, whatever is rolled back, and a backup has its value."""
    op.execute("CREATE SEQUENCE age")


def downgrade() -> None:
    op.execute("DROP SEQUENCE age")
