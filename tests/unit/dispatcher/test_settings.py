"""A lease outlives the request that it allows."""

from __future__ import annotations

import os

import pytest
from pydantic import ValidationError

from dispatcher.settings import LONGEST_TIMEOUT, Settings
from servicekit.settings import refusal

TOO_SHORT = "SWITCHHOOK_LEASE_SECONDS must be at least"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SWITCHHOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", "x" * 32)


@pytest.mark.parametrize(
    ("lease", "timeout", "margin"), [(30, 30, 2), (31.9, 30, 2), (5, 4, 2), (2, 0, 2), (1, 0, 2)]
)  # fmt: skip
def test_a_lease_shorter_than_time_out_and_margin_is_refused(lease: float, timeout: float, margin: float) -> None:
    with pytest.raises(ValidationError, match=TOO_SHORT):
        Settings(lease_seconds=lease, request_timeout_seconds=timeout, lease_margin_seconds=margin)


@pytest.mark.parametrize(
    ("lease", "timeout", "longest"), [(60, 0, LONGEST_TIMEOUT), (10, 0, 8), (32, 30, 30), (60, 5, 5)]
)  # fmt: skip
def test_no_request_outlives_its_lease(lease: float, timeout: float, longest: float) -> None:
    settings = Settings(lease_seconds=lease, request_timeout_seconds=timeout)
    assert settings.longest_request == longest


def test_it_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_LEASE_SECONDS", "20")
    monkeypatch.setenv("SWITCHHOOK_REQUEST_TIMEOUT_SECONDS", "19")
    with pytest.raises(ValidationError, match=TOO_SHORT):
        Settings()


def test_the_sentence_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_LEASE_SECONDS", "1")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert refusal(refused.value) == (
        "SWITCHHOOK_LEASE_SECONDS must be at least SWITCHHOOK_REQUEST_TIMEOUT_SECONDS + SWITCHHOOK_LEASE_MARGIN_SECONDS,"
        " and more than SWITCHHOOK_LEASE_MARGIN_SECONDS alone"
    )


def test_deliveries_are_kept_longer_than_they_are_tried() -> None:
    with pytest.raises(ValidationError, match="retention_days"):
        Settings(retention_days=4)
    assert Settings(retention_days=5).retention_days == 5
