"""Whose a held event is, so that what waits of a project can be bounded."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PROJECTS = """
ALTER TABLE held ADD COLUMN project text;
CREATE INDEX held_project ON held (project);
COMMENT ON COLUMN held.project IS 'null: held by a release that did not say so';
"""


def upgrade() -> None:
    op.execute(PROJECTS)


def downgrade() -> None:
    op.execute("ALTER TABLE held DROP COLUMN project")
