"""A contact counts its changes: who changes it may say which state he has seen."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

VERSION = "ALTER TABLE contact ADD COLUMN version bigint NOT NULL DEFAULT 1"


def upgrade() -> None:
    op.execute(VERSION)


def downgrade() -> None:
    op.execute("ALTER TABLE contact DROP COLUMN version")
