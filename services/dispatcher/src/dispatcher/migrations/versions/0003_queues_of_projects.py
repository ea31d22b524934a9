"""Whose destination a queue is for."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A queue has its project from its newest delivery; one that has no delivery gets it when it is used again."""
    op.execute("ALTER TABLE queue ADD COLUMN project_id text NOT NULL DEFAULT ''")
    op.execute(
        "UPDATE queue q SET project_id = d.project_id FROM queue one, LATERAL ("
        "  SELECT project_id FROM delivery WHERE queue_id = one.id ORDER BY created_at DESC LIMIT 1) d WHERE one.id = q.id"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE queue DROP COLUMN project_id")
