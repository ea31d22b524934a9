"""The titles of webhooks that were received about a contact, and lists of contacts by them."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE contact ADD COLUMN webhook_titles text[] NOT NULL DEFAULT '{}'"
TERMS = """
CREATE OR REPLACE FUNCTION contact_terms(c contact) RETURNS TABLE (kind text, term text) LANGUAGE sql IMMUTABLE AS $$
    SELECT 'tag', left(tag, 256) FROM unnest((c.tags)[1:1000]) tag WHERE c.merged_into IS NULL
     UNION SELECT 'flag', left(flag, 256) FROM unnest((c.flags)[1:1000]) flag WHERE c.merged_into IS NULL
     UNION SELECT 'word', word FROM unnest(contact_words(c)) word WHERE c.merged_into IS NULL
     {titles}
$$;
"""
TITLES = """
     UNION SELECT 'webhook_title', left(title, 256) FROM unnest(c.webhook_titles) title WHERE c.merged_into IS NULL
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER contact_changed AFTER UPDATE ON contact FOR EACH ROW
WHEN (
    OLD.tags IS DISTINCT FROM NEW.tags OR OLD.flags IS DISTINCT FROM NEW.flags
    OR OLD.profile IS DISTINCT FROM NEW.profile OR OLD.external_id IS DISTINCT FROM NEW.external_id
    OR OLD.phone IS DISTINCT FROM NEW.phone OR OLD.email IS DISTINCT FROM NEW.email
    OR OLD.merged_into IS DISTINCT FROM NEW.merged_into {titles}
) EXECUTE FUNCTION contact_changed();
"""


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(TERMS.format(titles=TITLES))
    op.execute(TRIGGER.format(titles="OR OLD.webhook_titles IS DISTINCT FROM NEW.webhook_titles"))


def downgrade() -> None:
    op.execute(TRIGGER.format(titles=""))
    op.execute(TERMS.format(titles=""))
    op.execute("DELETE FROM contact_term WHERE kind = 'webhook_title'")
    op.execute("ALTER TABLE contact DROP COLUMN webhook_titles")
