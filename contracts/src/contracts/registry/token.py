"""A token, and what it may do."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.registry.entity import Indexes, Owned

Scope = Literal[
    "admin", "flows:execute", "bots:converse", "data:read", "data:write", "agents:chat", "deliveries:read", "deliveries:write"
]  # fmt: skip


class Token(Owned):
    """`sha256` is the hex digest of the whole token; revoked means deleted.

    `agent_id`: the agent who acts by it; None: nobody, whatever its scopes are.
    `replaced_by`: it was rotated, and until it expires it may do what that token may (its triggers name that one).
    """

    KIND = "token"
    INDEXES: ClassVar[Indexes] = {"sha256": ("sha256",), "agent": ("agent_id",)}

    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    expires_at: str | None = None
    allowed_cidrs: tuple[str, ...] = ()
    replaced_by: str | None = None
    agent_id: str | None = None
