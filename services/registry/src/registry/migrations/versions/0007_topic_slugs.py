"""The slugs by which the topics of projects were named."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE topic_slug (slug text PRIMARY KEY)")


def downgrade() -> None:
    op.execute("DROP TABLE topic_slug")
