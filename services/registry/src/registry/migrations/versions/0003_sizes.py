"""How many bytes each entity and draft has, so that a project's can be added up without reading them."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SIZES = """
ALTER TABLE entity ADD COLUMN size integer GENERATED ALWAYS AS (octet_length(data::text)) STORED;
ALTER TABLE flow_draft ADD COLUMN size integer GENERATED ALWAYS AS (octet_length(document::text)) STORED;
CREATE INDEX entity_size ON entity (project_id, kind) INCLUDE (size) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    op.execute(SIZES)
