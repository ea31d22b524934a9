"""/docs, and the documents behind it: for whoever wants to read or try the API in a browser.

The registry serves them for all services: it answers what lies outside /v1 anyway, in any installation. The merged
document is made with the code (`./switchhook schemas`) and shipped, so that no service asks another for its own
(docs/decisions/0013).
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from servicekit.web.openapi import document_path

MERGED = Path(__file__).with_name("openapi.json")
"""The documents of all services in one."""
ASSETS = Path(str(files("fastapi_offline"))) / "static"
"""Swagger UI, as a package of ours to update and not a host of somebody else's to trust."""
ASSET_NAMES = ("swagger-ui-bundle.js", "swagger-ui.css")
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Switchhook API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
});
"""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Swagger UI writes style attributes, so inline styles are allowed; scripts come from here only."""


def add(app: FastAPI, own: dict[str, Any]) -> None:
    """Add the page, its files, the merged document and the registry's own."""
    merged = MERGED.read_bytes()

    async def show_merged(_: Request) -> Response:
        return Response(merged, media_type="application/json")

    async def show_own(_: Request) -> Response:
        return JSONResponse(own)

    app.router.routes += [
        Route("/openapi.json", show_merged),
        Route(document_path("registry"), show_own),
        Route("/docs", _show_page),
        Route("/docs/start.js", _show_start),
        *(Route(f"/docs/{name}", _asset(name)) for name in ASSET_NAMES),
    ]


async def _show_page(_: Request) -> Response:
    return HTMLResponse(PAGE, headers=HEADERS)


async def _show_start(_: Request) -> Response:
    return Response(START, headers=HEADERS, media_type="text/javascript")


def _asset(name: str) -> Any:
    async def show(_: Request) -> Response:
        return FileResponse(ASSETS / name, headers=HEADERS)

    return show
