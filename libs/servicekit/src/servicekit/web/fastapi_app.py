"""FastAPI as our services use it. Apart from `problems`, so that ingress never loads FastAPI."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from contracts.sentences import sentence
from servicekit.web.problems import install_problems, problem


def _pointer(location: tuple[int | str, ...]) -> str:
    """`("body", "events", 0)` -> `#/events/0`; a query parameter or header keeps its place: `query/limit`. Of a name that is
    wrong pydantic says `[key]` behind it."""
    place, *path = location
    if path[-1:] == ["[key]"]:
        path.pop()
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "#/" + "/".join(escaped) if place == "body" else "/".join([str(place), *escaped])


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        position = found[0]["loc"][-1]
        return problem("not-json", 400, "Not JSON", f"The body is not JSON: error at character {position}.")
    errors = [{"pointer": _pointer(one["loc"]), "detail": sentence(one)} for one in found]
    return problem("invalid", 422, "Invalid request", errors[0]["detail"], errors=errors)


def api_app(service: str) -> FastAPI:
    """An application with our problems; its document is made from the route table (servicekit.web.openapi)."""
    app = FastAPI(
        title=f"Switchhook {service}", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    install_problems(app)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    return app
