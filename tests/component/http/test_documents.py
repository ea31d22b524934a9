"""The four OpenAPI documents, held against the services by schemathesis: what they promise is so, for odd requests too."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

from contracts.routes import Service
from support.documents import ALIKE, check, described

INGRESS, ENGINE, DISPATCHER, REGISTRY = (
    described(service, coverage=False) for service in ("ingress", "flow-engine", "dispatcher", "registry")
)
FEW = settings(ALIKE, max_examples=2, derandomize=True)


@INGRESS.parametrize()
@FEW
def test_ingress_is_as_described(case: Any, services: dict[Service, str]) -> None:
    check(case, services["ingress"])


@ENGINE.parametrize()
@FEW
def test_the_engine_is_as_described(case: Any, services: dict[Service, str]) -> None:
    check(case, services["flow-engine"])


@DISPATCHER.parametrize()
@FEW
def test_the_dispatcher_is_as_described(case: Any, services: dict[Service, str]) -> None:
    check(case, services["dispatcher"])


@REGISTRY.parametrize()
@FEW
def test_the_registry_is_as_described(case: Any, services: dict[Service, str]) -> None:
    check(case, services["registry"])
