"""Timers that were fired and not applied are looked for once a minute."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FIRED = "CREATE INDEX timer_fired ON timer (part, fired_at) WHERE fired_at IS NOT NULL"


def upgrade() -> None:
    op.execute(FIRED)
