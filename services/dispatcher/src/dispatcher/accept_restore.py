"""After a restore of the database: the deliveries that it takes for unfinished, and may have been sent since.

`python -m dispatcher.accept_restore VERB AGE` with SWITCHHOOK_DATABASE; `./switchhook checkpoints accept-restore` runs it.
`report` counts them, `again` leaves them to be sent, `skip` discards them, and the database counts as not older. AGE is how old the database was when the last
replica worked on it. Answers a JSON list of sentences.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import asyncpg

from servicekit.database import Connection

WHY = "the database was restored from a backup"
UNFINISHED = "SELECT kind, count(*) FROM delivery WHERE finished_at IS NULL GROUP BY kind ORDER BY kind"
DISCARD = """
UPDATE delivery SET state = 'discarded', error = $1, due = NULL, lease = NULL, finished_at = now()
 WHERE finished_at IS NULL
"""
AGE = "SELECT last_value FROM age"
AS_OLD = "SELECT setval('age', $1)"


async def decide(connection: Connection, verb: str, age: int) -> list[str]:
    """Do what the verb says; what there was, or was done, as sentences. Nothing when the database is not older."""
    known = int(await connection.fetchval(AGE))
    counted = {row["kind"]: row["count"] for row in await connection.fetch(UNFINISHED)}
    about = ", ".join(f"{count} {kind}" for kind, count in counted.items()) or "none"
    if age <= known:
        return []
    if verb == "report":
        return [f"deliveries that the backup has as unfinished, and that may have been sent since: {about}"]
    if verb == "skip":
        await connection.execute(DISCARD, WHY)
        await connection.execute(AS_OLD, age)
        return [f"unfinished deliveries of the backup are discarded: {about}."]
    return [f"unfinished deliveries of the backup are sent: {about}."]


async def run(dsn: str, verb: str, age: int) -> list[str]:
    """On a connection of its own; all of it or nothing."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "dispatcher"})
    try:
        async with connection.transaction():
            return await decide(connection, verb, age)
    finally:
        await connection.close()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(os.environ["SWITCHHOOK_DATABASE"], sys.argv[1], int(sys.argv[2])))))
