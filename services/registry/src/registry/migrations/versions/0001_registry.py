"""Entities, what they use, their publications, and what the API remembers."""

from alembic import op

from servicekit.checkpoints.tables import LOOP_TABLES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ENTITIES = """
CREATE TABLE entity (
    seq bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    id text NOT NULL,
    project_id text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    unique_key text,
    data jsonb NOT NULL,
    extra jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    buried boolean NOT NULL DEFAULT false,
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX entity_unique_key ON entity (kind, unique_key) WHERE unique_key IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX entity_list ON entity (kind, project_id, seq) WHERE deleted_at IS NULL;
CREATE INDEX entity_to_bury ON entity (deleted_at) WHERE deleted_at IS NOT NULL AND NOT buried;
CREATE INDEX entity_token ON entity ((data ->> 'sha256')) WHERE kind = 'token' AND deleted_at IS NULL;
COMMENT ON COLUMN entity.buried IS 'the null that ends a deleted entity on the topic was handed to the relay';

CREATE TABLE reference (
    kind text NOT NULL,
    id text NOT NULL,
    to_kind text NOT NULL,
    to_id text NOT NULL,
    PRIMARY KEY (kind, id, to_kind, to_id)
);
CREATE INDEX reference_to ON reference (to_kind, to_id);

CREATE TABLE flow_draft (
    flow_id text PRIMARY KEY,
    version integer NOT NULL,
    document jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
"""

RELAY = """
CREATE TABLE generation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number integer NOT NULL
);
INSERT INTO generation (number) VALUES (1);

CREATE TABLE publication (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    value bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE leader (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    backend integer,
    beat timestamptz NOT NULL
);
INSERT INTO leader (beat) VALUES (now());
"""

API = """
CREATE TABLE idempotency (
    project_id text NOT NULL,
    path text NOT NULL,
    key text NOT NULL,
    body_sha256 text NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, path, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE trigger_request (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trigger_id text NOT NULL,
    event_id text NOT NULL,
    at timestamptz NOT NULL,
    data jsonb NOT NULL
);
CREATE INDEX trigger_request_of ON trigger_request (trigger_id, seq DESC);
"""


def upgrade() -> None:
    """Raw SQL: what runs is what is read. There is no way back but a backup."""
    for statements in (ENTITIES, RELAY, API, LOOP_TABLES):
        op.execute(statements)
