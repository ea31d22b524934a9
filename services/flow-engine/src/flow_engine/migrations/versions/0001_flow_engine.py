"""Conversations, contacts, timers, the chat log, the event log, held events and the partition loop's tables."""

from alembic import op

from servicekit.checkpoints.tables import LOOP_TABLES

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE conversation (
    id uuid PRIMARY KEY,
    key text NOT NULL,
    contact_id uuid,
    version bigint NOT NULL,
    state bytea NOT NULL,
    seen bytea NOT NULL,
    listeners bytea,
    last_user_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX conversation_contact ON conversation (contact_id);
COMMENT ON TABLE conversation IS 'A person on a channel of a bot, for ever. id = UUIDv5 of key bot/channel/peer';
COMMENT ON COLUMN conversation.version IS 'turns applied; saved only where it is what was read';
COMMENT ON COLUMN conversation.seen IS 'event ids applied: 8-byte hash and 2-byte day each (flow_engine.state.seen)';
COMMENT ON COLUMN conversation.listeners IS 'callers who wait, attached instances, used links; null: nobody';

CREATE TABLE contact (
    id uuid PRIMARY KEY,
    project_id text NOT NULL,
    bot_id text NOT NULL,
    external_id text,
    phone text,
    email text,
    profile jsonb NOT NULL DEFAULT '{}',
    variables jsonb NOT NULL DEFAULT '{}',
    tags text[] NOT NULL DEFAULT '{}',
    flags text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX contact_external_id ON contact (bot_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX contact_phone ON contact (bot_id, phone) WHERE phone IS NOT NULL;
CREATE INDEX contact_email ON contact (bot_id, email) WHERE email IS NOT NULL;

CREATE FUNCTION changed_set(present text[], added jsonb, removed jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(
        SELECT member
          FROM unnest(present || ARRAY(SELECT jsonb_array_elements_text(added))) WITH ORDINALITY u(member, place)
         WHERE NOT coalesce(removed ? member, false)
         GROUP BY member ORDER BY min(place)
    )
$$;

CREATE TABLE timer (
    id uuid PRIMARY KEY,
    part int NOT NULL,
    key text NOT NULL,
    project_id text NOT NULL,
    wait text NOT NULL,
    due timestamptz NOT NULL,
    fired_at timestamptz
);
CREATE INDEX timer_due ON timer (part, due) WHERE fired_at IS NULL;

CREATE TABLE message (
    conversation uuid NOT NULL,
    seq int NOT NULL,
    place bigint NOT NULL,
    sender text NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    content bytea NOT NULL,
    saved_on date NOT NULL DEFAULT CURRENT_DATE
) PARTITION BY RANGE (saved_on);
CREATE INDEX message_of_conversation ON message (conversation, seq);
COMMENT ON TABLE message IS 'The chat log. seq counts the bot''s messages; a person''s has that of the bot''s last before it';

CREATE TABLE event_log (
    id uuid NOT NULL,
    project_id text NOT NULL,
    conversation uuid,
    status text NOT NULL,
    body bytea NOT NULL,
    saved_on date NOT NULL DEFAULT CURRENT_DATE,
    PRIMARY KEY (id, saved_on)
) PARTITION BY RANGE (saved_on);
COMMENT ON COLUMN event_log.body IS 'JSON {problem, trigger_id, steps, messages, deliveries}, without what is empty';

CREATE TABLE held (
    position bigint GENERATED ALWAYS AS IDENTITY,
    conversation uuid NOT NULL,
    part int NOT NULL,
    record_offset bigint NOT NULL,
    record_ms bigint NOT NULL,
    key bytea,
    value bytea,
    headers bytea NOT NULL,
    error text,
    held_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation, position)
);
COMMENT ON TABLE held IS 'Events of conversations in which one failed: that one (error is set) and all later ones, in order';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(LOOP_TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE held, event_log, message, timer, contact, conversation, outbox, checkpoint")
    op.execute("DROP FUNCTION changed_set")
