"""Who a person is: verified identifiers, each of one contact; contacts that were merged point to who they are now.

The releases before looked people up by external_id, phone and email whoever had said them. Carried over is what cannot have
been claimed: an external id of a contact that never used a web chat (elsewhere only tokens and platforms told one), and a
phone number whose message in the chat log says that its platform vouched for it. What several contacts of a bot have is
carried over for none of them: nobody could be addressed by it.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE identity (
    bot_id text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    contact_id uuid NOT NULL,
    PRIMARY KEY (bot_id, kind, value)
);
CREATE INDEX identity_contact ON identity (contact_id);
COMMENT ON TABLE identity IS 'Verified: external_id, phone, email as contracts.people.identifier writes them';
"""
CONTACTS = """
ALTER TABLE identity ADD FOREIGN KEY (contact_id) REFERENCES contact ON DELETE CASCADE;
ALTER TABLE contact ADD COLUMN merged_into uuid;
CREATE INDEX contact_merged_into ON contact (merged_into) WHERE merged_into IS NOT NULL;
COMMENT ON COLUMN contact.merged_into IS 'who this turned out to be, itself not merged; the row stays as it was';
COMMENT ON COLUMN contact.email IS 'as shown, claimed or verified, like phone and external_id; looked up in identity';

DROP INDEX contact_external_id, contact_phone, contact_email;
"""
EXTERNAL_IDS = """
INSERT INTO identity (bot_id, kind, value, contact_id)
SELECT p.bot_id, 'external_id', p.external_id, (array_agg(p.id))[1]
  FROM contact p
 WHERE length(p.external_id) BETWEEN 1 AND 256
   AND NOT EXISTS (
       SELECT FROM conversation c
        WHERE c.contact_id = p.id AND position('"channel_type":"webchat"'::bytea IN c.state) > 0)
 GROUP BY p.bot_id, p.external_id HAVING count(*) = 1
"""
PHONES = """
INSERT INTO identity (bot_id, kind, value, contact_id)
SELECT p.bot_id, 'phone', n.number, (array_agg(p.id))[1]
  FROM contact p, LATERAL (SELECT '+' || regexp_replace(p.phone, '[^0-9]', '', 'g') AS number) n
 WHERE n.number ~ '^[+][1-9][0-9]{6,14}$'
   AND EXISTS (
       SELECT FROM conversation c JOIN message m ON m.conversation = c.id
        WHERE c.contact_id = p.id AND m.sender = 'person'
          AND position('"verified":true'::bytea IN m.content) > 0
          AND position(convert_to('"phone":' || to_json(p.phone)::text, 'UTF8') IN m.content) > 0)
 GROUP BY p.bot_id, n.number HAVING count(*) = 1
"""


def upgrade() -> None:
    # What locks the table of contacts comes last: an engine of the release before may be at work.
    for script in (TABLE, EXTERNAL_IDS, PHONES, CONTACTS):
        op.get_bind().exec_driver_sql(script)


def downgrade() -> None:
    op.execute("DROP TABLE identity")
    op.execute("ALTER TABLE contact DROP COLUMN merged_into")
    for name in ("external_id", "phone", "email"):
        op.execute(f"CREATE INDEX contact_{name} ON contact (bot_id, {name}) WHERE {name} IS NOT NULL")
