"""Where a gateway sends a path: to one of the services, or nowhere. `dev`'s gateway, compose's and Helm's all go by this table."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.routes import PREFIXES, PRIVATE, Service

CONSOLE_SERVICE: Service = "registry"
"""Answers whatever no row is about: the console, /docs, /openapi.json."""
PRIVATE_SEGMENTS = frozenset({"health", "metrics"})
"""First segments of what each service answers on its own port only."""
INGRESS_FILES = frozenset({"widget.js"})


@dataclass(frozen=True, slots=True)
class PathRow:
    """Paths that are `path` itself, and without `exact` also what lies below it. `service` None: a gateway answers 404."""

    path: str
    service: Service | None
    exact: bool = False

    def admits(self, path: str) -> bool:
        """Whether the row is about the path."""
        return path == self.path or (not self.exact and path.startswith(f"{self.path}/"))


def rows() -> list[PathRow]:
    """All of them, the first that admits a path decides; none does: CONSOLE_SERVICE."""
    services = sorted(set(PREFIXES.values()))
    return [
        *(PathRow(f"/{segment}", None) for segment in sorted(PRIVATE_SEGMENTS)),
        *(PathRow(f"/v1/{segment}", None) for segment in sorted(PRIVATE)),
        *(PathRow(f"/openapi/{service}.json", service, exact=True) for service in services),
        *(PathRow(f"/v1/{segment}", service) for segment, service in PREFIXES.items() if segment not in PRIVATE),
        PathRow("/v1", None),
        *(PathRow(f"/{file}", "ingress", exact=True) for file in sorted(INGRESS_FILES)),
    ]


ROWS = tuple(rows())


def service_for(path: str) -> Service | None:
    """The service that answers this path, None for one that the outside does not see."""
    cleaned = f"/{path.lstrip('/')}"
    return next((row.service for row in ROWS if row.admits(cleaned)), CONSOLE_SERVICE)
