"""Dead letters that an operator has released or discarded."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SETTLED = """
CREATE TABLE settled_letter (
    service text NOT NULL,
    part int NOT NULL,
    record_offset bigint NOT NULL,
    record_ms bigint NOT NULL,
    how text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service, part, record_offset, record_ms)
);
COMMENT ON COLUMN settled_letter.how IS 'released or discarded';
"""


def upgrade() -> None:
    op.execute(SETTLED)
