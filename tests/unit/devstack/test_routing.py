"""Which service the gateway asks."""

import pytest

from contracts import gateway
from contracts.gateway import rows, service_for
from contracts.routes import PRIVATE, ROUTES
from devstack.proxy import end_to_end


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_of_contracts_reaches_its_service(route) -> None:
    assert service_for(route.path) == (None if route.prefix in PRIVATE else route.service)


@pytest.mark.parametrize(
    "path", ["/metrics", "/health/live", "/health/ready", "//metrics", "/v1/dlq/ingress", "/v1", "/v1/x"]
)
def test_what_is_not_for_the_outside_has_no_service(path: str) -> None:
    assert service_for(path) is None


@pytest.mark.parametrize("segment", ["dlq", "held"])
def test_what_is_for_operators_is_not_routed_even_if_a_row_has_it(
    segment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(gateway.PREFIXES, segment, "flow-engine")
    monkeypatch.setattr(gateway, "ROWS", tuple(rows()))
    assert service_for(f"/v1/{segment}/x") is None


@pytest.mark.parametrize(
    ("path", "service"), [("/", "registry"), ("/auth/login", "registry"), ("/widget.js", "ingress")]
)
def test_the_console_and_the_widget_have_theirs(path: str, service: str) -> None:
    assert service_for(path) == service


def test_headers_of_one_connection_are_dropped_and_repeated_ones_kept() -> None:
    headers = [
        (b"Connection", b"close, X-Once"),
        (b"X-Once", b"1"),
        (b"TE", b"trailers"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
    ]
    assert end_to_end(headers) == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
