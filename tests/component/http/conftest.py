"""The four services on sockets of this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.routes import Service
from support.databases import Databases
from support.ingress_fakes import registry
from support.served import served


@pytest.fixture(scope="module")
def services(databases: Databases) -> Iterator[dict[Service, str]]:
    """Service -> its base URL."""
    view, _ = registry()
    with (
        databases.fresh("dispatcher") as deliveries,
        databases.fresh("registry") as entities,
        served(view, {"dispatcher": deliveries, "registry": entities}) as urls,
    ):
        yield urls
