"""The public HTTP surface, one row for each route: which service answers it, who may call it, and what it does.

Services mount their handlers from this table (`bind`) and check the scope that a row names, gateways route by it
(`PREFIXES`), OpenAPI documents and docs/reference/http.md are made from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from contracts.registry import Scope

Service = Literal["ingress", "flow-engine", "dispatcher", "registry"]
Proof = Literal["token", "operator", "trigger", "session", "link", "platform", "none"]
"""How a caller proves that it may call: a bearer token with the row's scope; the operator's token; the trigger's own
token, in a header or in the body, or its secret URL; the token of a web chat session; a signed URL; the secrets that
were agreed with a platform; not at all."""
SCOPED: frozenset[Proof] = frozenset({"token", "operator", "trigger"})
"""The proofs that come with a token of a project, or stand in for one: their rows name its scope."""

ACTING: frozenset[Proof] = frozenset({"link", "platform"})
"""The proofs of routes whose GET does something, because those who call cannot send anything else."""

H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `path` has its parameters in braces, each of them one whole segment.

    `scope` is what a token needs, None where no token is asked for. A token with one of `own_scopes` in its place may call it,
    too, for what it caused itself; the handler checks that.
    """

    method: str
    path: str
    service: Service
    what: str
    scope: Scope | None = None
    proof: Proof = "token"
    own_scopes: tuple[Scope, ...] = ()

    @property
    def name(self) -> str:
        """`POST /v1/bots`: what handlers and operations are filed under."""
        return f"{self.method} {self.path}"

    @property
    def prefix(self) -> str:
        """The first segment after /v1, which decides the service."""
        return self.path.split("/")[2]

    @property
    def methods(self) -> tuple[str, ...]:
        """What the row answers: HEAD, too, where a GET only reads."""
        return ("GET", "HEAD") if self.method == "GET" and self.proof not in ACTING else (self.method,)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces, in their order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


class UnboundRoute(Exception):
    """The table and what a service has do not match: a row without a handler, or a handler without a row."""


def bind(service: Service, handlers: Mapping[str, H], table: Sequence[Route]) -> list[tuple[Route, H]]:
    """Each row of a service with what is filed under its name.

    Raises UnboundRoute naming what has no counterpart, and a row that any token would open because it names no scope.
    """
    rows = {row.name: row for row in table if row.service == service}
    unmatched = sorted(rows.keys() ^ handlers.keys())
    if unmatched:
        missing = [name for name in unmatched if name in rows]
        unknown = [name for name in unmatched if name in handlers]
        raise UnboundRoute(f"{service}: rows without handlers {missing}, handlers without rows {unknown}")
    without_scope = [row.name for row in rows.values() if row.proof in SCOPED and row.scope is None]
    if without_scope:
        raise UnboundRoute(f"{service}: rows that ask for a token and name no scope {without_scope}")
    return [(row, handlers[name]) for name, row in rows.items()]


def prefixes(table: Sequence[Route]) -> dict[str, Service]:
    """First path segment after /v1 -> service. Raises ValueError when two services share one."""
    found: dict[str, Service] = {}
    for row in table:
        if found.setdefault(row.prefix, row.service) != row.service:
            raise ValueError(f"/v1/{row.prefix} belongs to {found[row.prefix]} and to {row.service}")
    return found


def crud(
    noun: str, one: str, *, changes: bool = True, made_by: Proof = "token", also_made_with: tuple[Scope, ...] = ()
) -> Iterator[Route]:
    """The routes that every kind of entity has: `/v1/<noun>`, and `one` in words. `made_by`: who may make and delete.
    `also_made_with`: scopes with one of which a token may make one."""
    many, path = f"/v1/{noun}", f"/v1/{noun}/{{id}}"
    yield Route("GET", many, "registry", f"List {noun}", "admin")
    yield Route("POST", many, "registry", f"Make {one}", "admin", made_by, also_made_with)
    yield Route("GET", path, "registry", f"Show {one}", "admin")
    if changes:
        yield Route("PATCH", path, "registry", f"Change {one}", "admin")
    yield Route("DELETE", path, "registry", f"Delete {one}", "admin", made_by)


_TALK = "/v1/talk/{bot}/sessions"
_WEB = "/v1/web/{channel}/sessions"
_CHAT = "/v1/conversations/{conversation}"
_BROADCAST = "/v1/broadcasts/{broadcast}"
_HELD = "/v1/held/{conversation}"
_LETTER = "/v1/dlq/{id}"

ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/run/{trigger}", "ingress", "Start a scenario", "flows:execute", "trigger"),
    Route("GET", "/v1/w/{signed}", "ingress", "Run a command by a generated URL", proof="link"),
    Route("POST", "/v1/w/{signed}", "ingress", "Run a command by a generated URL, with content", proof="link"),
    Route("GET", "/v1/r/{signed}", "ingress", "Follow a tracked link", proof="link"),
    Route("GET", "/v1/in/{channel}/{random}", "ingress", "A platform's handshake", proof="platform"),
    Route("POST", "/v1/in/{channel}/{random}", "ingress", "What a platform calls", proof="platform"),
    Route("POST", _TALK, "ingress", "Open a session of the Bot API", "bots:converse"),
    Route("POST", f"{_TALK}/{{session}}/messages", "ingress", "Say something for a person", "bots:converse"),
    Route("GET", f"{_TALK}/{{session}}/messages", "ingress", "The bot's messages, also as a stream", "bots:converse"),
    Route("DELETE", f"{_TALK}/{{session}}", "ingress", "Close a session of the Bot API", "bots:converse"),
    Route("POST", _WEB, "ingress", "Open a web chat, or come back to it", proof="none"),
    Route("POST", f"{_WEB}/{{session}}/messages", "ingress", "Say something in a web chat", proof="session"),
    Route("GET", f"{_WEB}/{{session}}/events", "ingress", "A web chat's messages, also as a stream", proof="session"),
    Route("POST", "/v1/signals", "ingress", "Say that something happened", "flows:execute"),
    Route(
        "GET",
        "/v1/events/{event_id}",
        "flow-engine",
        "What became of an event",
        "data:read",
        own_scopes=("flows:execute", "bots:converse", "data:write"),
    ),
    Route("GET", "/v1/contacts", "flow-engine", "List a bot's contacts", "data:read"),
    Route("POST", "/v1/contacts", "flow-engine", "Make a contact", "data:write"),
    Route("GET", "/v1/contacts/count", "flow-engine", "How many contacts of a bot there are", "data:read"),
    Route("GET", "/v1/contacts/export", "flow-engine", "All contacts of a bot as a stream", "data:read"),
    Route("POST", "/v1/contacts/import", "flow-engine", "Make and change contacts, a line each", "data:write"),
    Route("GET", "/v1/contacts/{contact}", "flow-engine", "Show a contact", "data:read"),
    Route("PATCH", "/v1/contacts/{contact}", "flow-engine", "Change a contact", "data:write"),
    Route("POST", "/v1/contacts/{contact}/merge", "flow-engine", "Make two contacts one", "data:write"),
    Route("DELETE", "/v1/contacts/{contact}", "flow-engine", "Erase a person", "data:write"),
    Route("GET", "/v1/contacts/erasures/{erasure}", "flow-engine", "How far an erasure is", "data:read"),
    Route("GET", "/v1/chatlogs", "flow-engine", "What was said, by bot or contact", "data:read"),
    Route("GET", "/v1/conversations", "flow-engine", "List conversations by who answers", "agents:chat"),
    Route("POST", "/v1/conversations/presence", "flow-engine", "Say that an agent is there", "agents:chat"),
    Route("GET", "/v1/conversations/chats", "flow-engine", "List the chats that a channel has seen", "agents:chat"),
    Route("GET", "/v1/conversations/counts", "flow-engine", "How often a flow's nodes were reached and left", "admin"),
    Route("GET", _CHAT, "flow-engine", "Show a conversation", "agents:chat"),
    Route("GET", f"{_CHAT}/messages", "flow-engine", "What was said in it, the newest first", "agents:chat"),
    Route("GET", f"{_CHAT}/trace", "flow-engine", "What happened in it, turn after turn", "agents:chat"),
    Route("POST", f"{_CHAT}/messages", "flow-engine", "Say something as the agent who has it", "agents:chat"),
    Route("POST", f"{_CHAT}/takeover", "flow-engine", "Take it over", "agents:chat"),
    Route("POST", f"{_CHAT}/assign", "flow-engine", "Give it to an agent", "agents:chat"),
    Route("POST", f"{_CHAT}/release", "flow-engine", "Give it back to the bot or the queue", "agents:chat"),
    Route("POST", f"{_CHAT}/notes", "flow-engine", "Note something for other agents", "agents:chat"),
    Route("POST", f"{_CHAT}/read", "flow-engine", "Say that what was written is read", "agents:chat"),
    Route("GET", "/v1/broadcasts", "flow-engine", "List broadcasts", "admin"),
    Route("POST", "/v1/broadcasts", "flow-engine", "Make a broadcast", "admin"),
    Route("GET", _BROADCAST, "flow-engine", "Show a broadcast with its counts", "admin"),
    Route("GET", f"{_BROADCAST}/recipients", "flow-engine", "What became of each recipient", "admin"),
    Route("POST", f"{_BROADCAST}/pause", "flow-engine", "Pause a broadcast", "admin"),
    Route("POST", f"{_BROADCAST}/resume", "flow-engine", "Go on with a broadcast", "admin"),
    Route("POST", f"{_BROADCAST}/cancel", "flow-engine", "Cancel a broadcast", "admin"),
    Route("GET", "/v1/flow-migrations", "flow-engine", "List flow migrations", "admin"),
    Route("POST", "/v1/flow-migrations", "flow-engine", "Take conversations to a flow's published version", "admin"),
    Route("GET", "/v1/flow-migrations/{migration}", "flow-engine", "How far a flow migration is", "admin"),
    Route("POST", "/v1/simulate", "flow-engine", "Play a script on a flow; nothing is kept or sent", "admin"),
    Route("GET", "/v1/held", "flow-engine", "List conversations that a failed event holds", "admin", "operator"),
    Route("GET", _HELD, "flow-engine", "Show what waits in a held conversation", "admin", "operator"),
    Route("POST", f"{_HELD}/release", "flow-engine", "Apply what waits in it, in order", "admin", "operator"),
    Route("POST", f"{_HELD}/discard", "flow-engine", "Forget events that wait in it", "admin", "operator"),
    Route("GET", "/v1/dlq", "registry", "List what services could not process", "admin", "operator"),
    Route("GET", _LETTER, "registry", "Show a dead letter", "admin", "operator"),
    Route("POST", f"{_LETTER}/release", "registry", "Send it through its service once more", "admin", "operator"),
    Route("POST", f"{_LETTER}/discard", "registry", "Take it off the list", "admin", "operator"),
    Route("GET", "/v1/deliveries", "dispatcher", "List deliveries, the newest first", "deliveries:read"),
    Route("GET", "/v1/deliveries/{id}", "dispatcher", "Show a delivery with its attempts", "deliveries:read"),
    Route("POST", "/v1/deliveries/{id}/replay", "dispatcher", "Deliver it again", "deliveries:write"),
    *crud("projects", "a project", made_by="operator"),
    Route("GET", "/v1/projects/{id}/rate-limits", "registry", "Show a project's rate limits", "admin"),
    Route("PUT", "/v1/projects/{id}/rate-limits", "registry", "Set a project's rate limits", "admin"),
    Route("POST", "/v1/projects/{id}/rotate-secret", "registry", "Replace a project's signing secret", "admin"),
    Route("GET", "/v1/projects/{id}/kafka", "registry", "Show a project's own topics", "admin"),
    Route("POST", "/v1/projects/{id}/kafka", "registry", "Give a project topics of its own", "admin"),
    Route("DELETE", "/v1/projects/{id}/kafka", "registry", "Stop using a project's own topics", "admin"),
    *crud("tokens", "a token"),
    Route("POST", "/v1/tokens/{id}/rotate", "registry", "Replace a token by a new one", "admin"),
    *crud("bots", "a bot"),
    *crud("channels", "a channel"),
    Route("POST", "/v1/channels/{id}/check", "registry", "Ask the platform about a channel", "admin"),
    *crud("flows", "a flow", changes=False),
    Route("POST", "/v1/flows/check", "registry", "Check a flow document without saving it", "admin"),
    Route("POST", "/v1/flows/import", "registry", "Make a flow of another builder's export", "admin"),
    Route("PUT", "/v1/flows/{id}/draft", "registry", "Save a flow's draft", "admin"),
    Route("GET", "/v1/flows/{id}/draft", "registry", "Show a flow's draft", "admin"),
    Route("GET", "/v1/flows/{id}/layout", "registry", "Where an editor draws a flow's nodes", "admin"),
    Route("PUT", "/v1/flows/{id}/layout", "registry", "Save where an editor draws a flow's nodes", "admin"),
    Route("POST", "/v1/flows/{id}/publish", "registry", "Publish a flow's draft as its next version", "admin"),
    Route("POST", "/v1/flows/{id}/rollback", "registry", "Publish an earlier version again", "admin"),
    Route("GET", "/v1/flows/{id}/diff", "registry", "What differs between two of a flow's versions", "admin"),
    Route("GET", "/v1/flows/{id}/versions", "registry", "List a flow's versions", "admin"),
    Route("GET", "/v1/flows/{id}/versions/{version}", "registry", "Show a version with its document", "admin"),
    *crud("triggers", "a trigger"),
    Route("GET", "/v1/triggers/{id}/requests", "registry", "A trigger's last requests", "admin"),
    *crud("hook-urls", "a generated URL", changes=False),
    *crud("api-calls", "an API call"),
    Route("POST", "/v1/api-calls/{id}/test", "registry", "Make an API call once", "admin"),
    *crud("endpoints", "an endpoint"),
    Route("POST", "/v1/endpoints/{id}/enable", "registry", "Enable an endpoint", "admin"),
    Route("POST", "/v1/endpoints/{id}/disable", "registry", "Disable an endpoint", "admin"),
    Route("POST", "/v1/endpoints/{id}/rotate-secret", "registry", "Replace an endpoint's signing secret", "admin"),
    *crud("secrets", "a secret"),
    *crud("segments", "a segment"),
    *crud("agents", "an agent", also_made_with=("data:write",)),
    Route("POST", "/v1/agents/{id}/tokens", "registry", "Make a token by which an agent acts", "admin"),
    Route("GET", "/v1/node-types", "registry", "The nodes that flows are made of", "admin"),
)
STREAMED = frozenset({"/v1/contacts/import"})
"""Paths whose requests have a body of any length, which is read as it comes."""

ROWS: dict[str, Route] = {row.name: row for row in ROUTES}
"""Name -> row."""
PRIVATE = frozenset({"dlq", "held"})
"""First path segments that a service answers on its own port only: they are for operators, and no gateway routes them."""
PREFIXES = prefixes(ROUTES)
"""First path segment after /v1 -> service."""
