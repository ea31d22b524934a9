"""The last requests of triggers are found by their events, so that they can be erased, and by their age."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OF_EVENT = "CREATE INDEX trigger_request_event ON trigger_request (event_id)"
BY_AGE = "CREATE INDEX trigger_request_age ON trigger_request (at)"


def upgrade() -> None:
    op.execute(OF_EVENT)
    op.execute(BY_AGE)


def downgrade() -> None:
    op.execute("DROP INDEX trigger_request_event, trigger_request_age")
