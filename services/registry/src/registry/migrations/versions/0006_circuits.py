"""The circuits of endpoints, as the dispatchers told of them."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CIRCUIT = """
CREATE TABLE circuit (
    endpoint_id text PRIMARY KEY,
    at timestamptz NOT NULL,
    since timestamptz,
    next_try timestamptz,
    reason text
);
COMMENT ON COLUMN circuit.next_try IS 'until then nothing is sent; null: the circuit closed';
"""


def upgrade() -> None:
    op.execute(CIRCUIT)


def downgrade() -> None:
    op.execute("DROP TABLE circuit")
