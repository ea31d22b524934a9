"""Idempotency-Key: the first request's answer is kept for 8 days, sealed, in the transaction that did its work."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256

import orjson

from contracts.registry import Sealed
from registry import errors
from registry.store.postgres import IDEMPOTENCY_LOCKS
from registry.writing.answers import Answer
from servicekit.credentials.sealing import KeyRing, SealError
from servicekit.loop.batches import Connection

KEY_LIMIT = 255
LOCK = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))"
FIND = "SELECT body_sha256, answer::text AS answer FROM idempotency WHERE project_id = $1 AND path = $2 AND key = $3"
KEEP = """
    INSERT INTO idempotency (project_id, path, key, body_sha256, answer) VALUES ($1, $2, $3, $4, $5::text::jsonb)
    ON CONFLICT (project_id, path, key) DO UPDATE SET answer = excluded.answer
"""
FORGET = "DELETE FROM idempotency WHERE created_at < now() - interval '8 days'"


@dataclass(frozen=True, slots=True)
class Key:
    """Whose key, for which path, with which body; `by`: the id of the caller's token, or `operator`."""

    project: str
    path: str
    key: str
    body_sha256: str
    by: str

    @property
    def place(self) -> str:
        """What the kept answer is sealed for."""
        return sha256("\n".join((self.path, self.key)).encode()).hexdigest()


def key_of(project: str, path: str, key: str, body: bytes, by: str) -> Key:
    """The key of a request. Raises ProblemError 400 when it is empty or too long."""
    if not 0 < len(key) <= KEY_LIMIT:
        raise errors.bad_key(f"Idempotency-Key has 1 to {KEY_LIMIT} characters.")
    return Key(project, path, key, sha256(body).hexdigest(), by)


async def recall(connection: Connection, key: Key, ring: KeyRing) -> Answer | None:
    """The first request's answer, None if this is the first. Holds the key until the transaction ends.

    Raises ProblemError 409 while the first one runs, 422 when it had another body or came with another token: the answer
    may show a secret, which is for who made it. 422 also where the key that sealed it was taken away.
    """
    if not await connection.fetchval(LOCK, IDEMPOTENCY_LOCKS, f"{key.project} {key.place}"):
        raise errors.still_running()
    row = await connection.fetchrow(FIND, key.project, key.path, key.key)
    if row is None:
        return None
    if row["body_sha256"] != key.body_sha256:
        raise errors.key_used("This Idempotency-Key came before with another body.")
    sealed = Sealed.model_validate_json(row["answer"])
    try:
        plaintext = ring.open_sealed(sealed, project=key.project, entity=key.place, field="answer")
    except SealError as error:
        raise errors.key_used("This Idempotency-Key came before, and its answer cannot be opened any more.") from error
    answer = orjson.loads(plaintext)
    if answer.pop("by", None) != key.by:  # None: a release before kept it, and not whose it is.
        raise errors.key_used("This Idempotency-Key came before with another token.")
    return Answer(**answer)


async def keep(connection: Connection, key: Key, answer: Answer, ring: KeyRing) -> None:
    """Remember it; sealed, because some answers show a secret this one time."""
    plaintext = orjson.dumps(asdict(answer) | {"by": key.by})
    sealed = ring.seal(plaintext, project=key.project, entity=key.place, field="answer")
    await connection.execute(KEEP, key.project, key.path, key.key, key.body_sha256, sealed.encode().decode())


async def forget_old(connection: Connection) -> None:
    await connection.execute(FORGET)
