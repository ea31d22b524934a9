"""A backlog of one project's timers is passed over: each project's earliest are found without reading the others'."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OF_PROJECT = "CREATE INDEX timer_of_project ON timer (part, project_id, due) WHERE fired_at IS NULL"


def upgrade() -> None:
    op.execute(OF_PROJECT)


def downgrade() -> None:
    op.execute("DROP INDEX timer_of_project")
