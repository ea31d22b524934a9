"""The public HTTP surface: which service answers what, under which scope. Generates the routing of dev, compose and Helm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Service = Literal["ingress", "flow-engine", "dispatcher", "registry"]

PREFIXES: dict[str, Service] = {
    **dict.fromkeys(("run", "w", "r", "in", "talk", "web", "media", "signals"), "ingress"),
    **dict.fromkeys(("contacts", "chatlogs", "conversations", "broadcasts", "events", "simulate"), "flow-engine"),
    **dict.fromkeys(("deliveries", "stats", "dlq"), "dispatcher"),
    **dict.fromkeys(
        ("projects", "tokens", "bots", "channels", "flows", "triggers", "hook-urls", "api-calls", "endpoints", "secrets",
         "node-types", "agents", "segments", "audit"),
        "registry",
    ),
}  # fmt: skip
"""First path segment after /v1 -> service."""


@dataclass(frozen=True, slots=True)
class Route:
    """`scope` None: open, or proved otherwise (a signed URL, a platform's secret, a session token)."""

    method: str
    path: str
    service: Service
    scope: str | None


def _crud(service: Service, noun: str, scope: str = "admin", *, changes: bool = True) -> tuple[Route, ...]:
    one = f"/v1/{noun}/{{id}}"
    return (
        Route("GET", f"/v1/{noun}", service, scope),
        Route("POST", f"/v1/{noun}", service, scope),
        Route("GET", one, service, scope),
        *((Route("PATCH", one, service, scope),) if changes else ()),
        Route("DELETE", one, service, scope),
    )


ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/run/{trigger}", "ingress", "flows:execute"),
    Route("GET", "/v1/w/{signed}", "ingress", None),
    Route("POST", "/v1/w/{signed}", "ingress", None),
    Route("GET", "/v1/r/{signed}", "ingress", None),
    Route("GET", "/v1/in/{channel}/{random}", "ingress", None),
    Route("POST", "/v1/in/{channel}/{random}", "ingress", None),
    Route("POST", "/v1/talk/{bot}/sessions", "ingress", "bots:converse"),
    Route("POST", "/v1/talk/{bot}/sessions/{session}/messages", "ingress", "bots:converse"),
    Route("GET", "/v1/talk/{bot}/sessions/{session}/messages", "ingress", "bots:converse"),
    Route("POST", "/v1/web/{channel}/sessions", "ingress", None),
    Route("POST", "/v1/web/{channel}/sessions/{session}/messages", "ingress", None),
    Route("GET", "/v1/web/{channel}/sessions/{session}/events", "ingress", None),
    Route("POST", "/v1/signals", "ingress", "flows:execute"),
    Route("GET", "/v1/events/{event_id}", "flow-engine", "data:read"),
    Route("GET", "/v1/deliveries", "dispatcher", "deliveries:read"),
    Route("GET", "/v1/deliveries/{id}", "dispatcher", "deliveries:read"),
    Route("POST", "/v1/deliveries/{id}/replay", "dispatcher", "deliveries:write"),
    *_crud("registry", "projects"),
    Route("GET", "/v1/projects/{id}/rate-limits", "registry", "admin"),
    Route("PUT", "/v1/projects/{id}/rate-limits", "registry", "admin"),
    *_crud("registry", "tokens"),
    Route("POST", "/v1/tokens/{id}/rotate", "registry", "admin"),
    *_crud("registry", "bots"),
    *_crud("registry", "channels"),
    Route("POST", "/v1/channels/{id}/check", "registry", "admin"),
    *_crud("registry", "flows", changes=False),
    Route("POST", "/v1/flows/check", "registry", "admin"),
    Route("PUT", "/v1/flows/{id}/draft", "registry", "admin"),
    Route("GET", "/v1/flows/{id}/draft", "registry", "admin"),
    Route("POST", "/v1/flows/{id}/publish", "registry", "admin"),
    Route("POST", "/v1/flows/{id}/rollback", "registry", "admin"),
    Route("GET", "/v1/flows/{id}/versions", "registry", "admin"),
    Route("GET", "/v1/flows/{id}/versions/{version}", "registry", "admin"),
    *_crud("registry", "triggers"),
    Route("GET", "/v1/triggers/{id}/requests", "registry", "admin"),
    *_crud("registry", "hook-urls", changes=False),
    *_crud("registry", "api-calls"),
    Route("POST", "/v1/api-calls/{id}/test", "registry", "admin"),
    *_crud("registry", "endpoints"),
    Route("POST", "/v1/endpoints/{id}/enable", "registry", "admin"),
    Route("POST", "/v1/endpoints/{id}/disable", "registry", "admin"),
    Route("POST", "/v1/endpoints/{id}/rotate-secret", "registry", "admin"),
    *_crud("registry", "secrets"),
    Route("GET", "/v1/node-types", "registry", "admin"),
)
