"""The same at length: many requests, every boundary of the schemas, and requests that build on each other's answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

from contracts.routes import Service
from support.documents import ALIKE, call_arguments, check, described

pytestmark = [pytest.mark.slow, pytest.mark.seconds(900)]
INGRESS, ENGINE, DISPATCHER, REGISTRY = (
    described(service, coverage=True) for service in ("ingress", "flow-engine", "dispatcher", "registry")
)
MANY = settings(ALIKE, max_examples=30)
DEEP = settings(ALIKE, max_examples=30, stateful_step_count=10)


@INGRESS.parametrize()
@MANY
def test_ingress_is_as_described(case: Any, services: dict[Service, str]) -> None:
    check(case, services["ingress"])


@ENGINE.parametrize()
@MANY
def test_the_engine_is_as_described(case: Any, services: dict[Service, str]) -> None:
    check(case, services["flow-engine"])


@DISPATCHER.parametrize()
@MANY
def test_the_dispatcher_is_as_described(case: Any, services: dict[Service, str]) -> None:
    check(case, services["dispatcher"])


@REGISTRY.parametrize()
@MANY
def test_the_registry_is_as_described(case: Any, services: dict[Service, str]) -> None:
    check(case, services["registry"])


def test_what_the_registry_made_is_shown_changed_and_deleted_as_described(services: dict[Service, str]) -> None:
    class Machine(REGISTRY.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return call_arguments(services["registry"])

    Machine.run(settings=DEEP)
