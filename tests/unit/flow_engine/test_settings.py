"""A setting by its old name is refused, and not passed over."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flow_engine.settings import Settings
from servicekit.settings import refusal


def test_lanes_are_parallel_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", "x" * 32)
    assert Settings().parallel_batches == 3
    monkeypatch.setenv("SWITCHHOOK_LANES", "2")
    with pytest.raises(ValidationError) as refused:
        Settings()
    said = "SWITCHHOOK_LANES is called SWITCHHOOK_PARALLEL_BATCHES now: set that one instead"
    assert refusal(refused.value) == said
