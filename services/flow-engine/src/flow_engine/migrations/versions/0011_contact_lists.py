"""Contacts in lists: by bot, and by what they are looked for, each in an order of its own, so that a page reads only itself.

Triggers keep the terms, so that an engine of the release before, which may be at work still, keeps them too.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE contact_term (
    bot_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    term text COLLATE "C" NOT NULL,
    contact_id uuid NOT NULL,
    PRIMARY KEY (bot_id, kind, term, contact_id)
);
COMMENT ON TABLE contact_term IS 'What contacts are listed by: their tags, flags, and the words that a search finds them by';
COMMENT ON COLUMN contact_term.term IS 'its first 256 characters; words in lower case';

CREATE FUNCTION contact_words(c contact) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(
        SELECT DISTINCT left(lower(word COLLATE pg_c_utf8), 256)
          FROM unnest(
               ARRAY[c.email, c.external_id, translate(c.phone, ' +()-./', ''), ltrim(c.profile ->> 'username', '@')]
               || (string_to_array(
                      concat_ws(' ', c.profile ->> 'name', c.profile ->> 'first_name', c.profile ->> 'last_name'), ' '
                  ))[1:24]
          ) word
         WHERE word <> ''
    )
$$;
COMMENT ON FUNCTION contact_words IS 'The words whose beginnings a search for a contact compares';

CREATE FUNCTION contact_terms(c contact) RETURNS TABLE (kind text, term text) LANGUAGE sql IMMUTABLE AS $$
    SELECT 'tag', left(tag, 256) FROM unnest((c.tags)[1:1000]) tag WHERE c.merged_into IS NULL
     UNION SELECT 'flag', left(flag, 256) FROM unnest((c.flags)[1:1000]) flag WHERE c.merged_into IS NULL
     UNION SELECT 'word', word FROM unnest(contact_words(c)) word WHERE c.merged_into IS NULL
$$;
COMMENT ON FUNCTION contact_terms IS 'What a contact is listed by; one that was merged by nothing';

CREATE FUNCTION contacts_made() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO contact_term SELECT c.bot_id, t.kind, t.term, c.id FROM made c, contact_terms(ROW(c.*)::contact) t;
    RETURN NULL;
END
$$;
CREATE FUNCTION contact_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM contact_term t USING (SELECT * FROM contact_terms(OLD) EXCEPT SELECT * FROM contact_terms(NEW)) o
     WHERE t.bot_id = OLD.bot_id AND t.kind = o.kind AND t.term = o.term AND t.contact_id = OLD.id;
    INSERT INTO contact_term
    SELECT NEW.bot_id, n.kind, n.term, NEW.id
      FROM (SELECT * FROM contact_terms(NEW) EXCEPT SELECT * FROM contact_terms(OLD)) n
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE FUNCTION contact_gone() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM contact_term t USING contact_terms(OLD) o
     WHERE t.bot_id = OLD.bot_id AND t.kind = o.kind AND t.term = o.term AND t.contact_id = OLD.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER contacts_made AFTER INSERT ON contact REFERENCING NEW TABLE AS made
FOR EACH STATEMENT EXECUTE FUNCTION contacts_made();
CREATE TRIGGER contact_gone AFTER DELETE ON contact FOR EACH ROW EXECUTE FUNCTION contact_gone();
CREATE TRIGGER contact_changed AFTER UPDATE ON contact FOR EACH ROW
WHEN (
    OLD.tags IS DISTINCT FROM NEW.tags OR OLD.flags IS DISTINCT FROM NEW.flags
    OR OLD.profile IS DISTINCT FROM NEW.profile OR OLD.external_id IS DISTINCT FROM NEW.external_id
    OR OLD.phone IS DISTINCT FROM NEW.phone OR OLD.email IS DISTINCT FROM NEW.email
    OR OLD.merged_into IS DISTINCT FROM NEW.merged_into
) EXECUTE FUNCTION contact_changed();
"""
OF_BOT = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS contact_of_bot ON contact (bot_id, id) WHERE merged_into IS NULL
"""
AT_ONCE = 2000
NEXT = """
WITH page AS MATERIALIZED (
    SELECT * FROM contact WHERE ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2 FOR SHARE
), kept AS (
    INSERT INTO contact_term
    SELECT c.bot_id, t.kind, t.term, c.id FROM page c, contact_terms(ROW(c.*)::contact) t
        ON CONFLICT DO NOTHING
)
SELECT id FROM page ORDER BY id DESC LIMIT 1
"""
"""The terms of the next contacts, which nobody changes meanwhile."""


def upgrade() -> None:
    op.execute(TABLE)
    with op.get_context().autocommit_block():
        op.execute(OF_BOT)
        run, last = op.get_bind().exec_driver_sql, None
        while last := run(NEXT, (last, AT_ONCE)).scalar():
            pass


def downgrade() -> None:
    for trigger in ("contacts_made", "contact_changed", "contact_gone"):
        op.execute(f"DROP TRIGGER {trigger} ON contact")
        op.execute(f"DROP FUNCTION {trigger}")
    op.execute("DROP FUNCTION contact_terms, contact_words")
    op.execute("DROP TABLE contact_term")
    op.execute("DROP INDEX contact_of_bot")
