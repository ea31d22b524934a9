"""What `dev` takes from its environment for its services."""

import pytest

from devstack.dev import operators_settings

NAME = "SWITCHHOOK_ALLOWED_NETWORKS"


def test_a_stack_chooses_where_the_operator_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert operators_settings() == {}


@pytest.mark.parametrize("networks", ["10.0.0.0/8,127.0.0.0/8", ""])
def test_the_operators_networks_are_passed_through(monkeypatch: pytest.MonkeyPatch, networks: str) -> None:
    monkeypatch.setenv(NAME, networks)
    assert operators_settings() == {NAME: networks}
