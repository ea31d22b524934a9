"""All SQL about the slugs that topics were named by. They are kept for ever: on Kafka the topics of a project that is gone, and who
may read them, may still be there, and a project of the same name must not come into them."""

from __future__ import annotations

from servicekit.loop.batches import Connection

KEEP = "INSERT INTO topic_slug (slug) VALUES ($1) ON CONFLICT DO NOTHING"
IS_KEPT = "SELECT EXISTS (SELECT 1 FROM topic_slug WHERE slug = $1)"


async def keep(connection: Connection, slug: str) -> None:
    """Its project has topics from now on: no other project gets this slug."""
    await connection.execute(KEEP, slug)


async def is_kept(connection: Connection, slug: str) -> bool:
    """Whether a project of this slug ever had topics of its own."""
    return bool(await connection.fetchval(IS_KEPT, slug))
