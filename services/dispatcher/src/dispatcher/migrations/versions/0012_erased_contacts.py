"""Contacts that were erased, so that nothing is delivered for them any more."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE erased_contact (
    contact_id text PRIMARY KEY,
    until date NOT NULL
);
COMMENT ON TABLE erased_contact IS 'what comes for one of these becomes a cancelled delivery without content';
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE erased_contact")
