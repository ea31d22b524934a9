"""Requests to an ASGI application without a server."""

import httpx
import pytest
from starlette.types import ASGIApp


@pytest.fixture
def client_of():
    """Makes a client of an application; an error of the application is answered, not raised."""

    def make(app: ASGIApp) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://switchhook.test")

    return make
