"""The files of deploy/ that follow from contracts: what gateways route, dashboards, the chart's. `switchhook schemas` writes them, a
test compares."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.gateway import CONSOLE_SERVICE, ROWS
from devstack import helm_files, helm_values, tenant_dashboard
from devstack.dashboards import DASHBOARDS, dashboard
from devstack.paths import ROOT

DEPLOY = ROOT / "deploy"
CHART = "helm/switchhook"
SERVICE_PORT = 8080
MADE = "Made from contracts by `./switchhook schemas`; a test compares."


def files() -> dict[str, str]:
    """Path below deploy/ -> text."""
    made = {name: dashboard(name) for name in DASHBOARDS} | {"tenant": tenant_dashboard.dashboard()}
    boards = {f"observability/dashboards/{name}.json": text for name, text in made.items()}
    chart = {f"{CHART}/{name}": text for name, text in (helm_files.files() | helm_values.files(DEPLOY / CHART)).items()}
    return {"compose/gateway/routes.caddy": "\n".join(caddy()) + "\n", **boards, **chart}


def write() -> None:
    """Bring the committed files up to date."""
    for path, text in files().items():
        (DEPLOY / path).parent.mkdir(parents=True, exist_ok=True)
        (DEPLOY / path).write_text(text)


def caddy() -> Iterator[str]:
    """Handlers in the order in which they are asked: what stays inside, each service's paths, then the console."""
    yield f"# {MADE}"
    private = [row.path for row in ROWS if row.service is None and row.path != "/v1"]
    yield from handler("@private", private, "respond 404")
    for service in sorted({row.service for row in ROWS if row.service}):
        paths = [(row.path, row.exact) for row in ROWS if row.service == service]
        yield from handler(
            f"@{service}",
            [path for path, exact in paths if not exact],
            f"reverse_proxy {upstream(service)}",
            [path for path, exact in paths if exact],
        )
    yield from handler("@unknown", ["/v1"], "respond 404")
    yield "handle {"
    yield f"\treverse_proxy {upstream(CONSOLE_SERVICE)}"
    yield "}"


def handler(name: str, prefixes: list[str], does: str, exact: list[str] | None = None) -> Iterator[str]:
    """A matcher of paths and what is done with them."""
    paths = [each for prefix in prefixes for each in (prefix, f"{prefix}/*")] + (exact or [])
    yield f"{name} path {' '.join(paths)}"
    yield f"handle {name} {{"
    yield f"\t{does}"
    yield "}"


def upstream(service: str) -> str:
    """All replicas of a service, as its name resolves to them; streams pass as they come.

    A caller waits while none takes connections, as in a restart of the only one.
    """
    return (
        "{\n"
        f"\t\tdynamic a {service} {SERVICE_PORT}\n"
        "\t\tlb_try_duration 10s\n"
        "\t\tflush_interval -1\n"
        "\t\ttransport http {\n\t\t\tkeepalive 55s\n\t\t}\n"
        "\t}"
    )
