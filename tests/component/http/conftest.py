"""The four services on sockets of this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.registry import Channel
from contracts.routes import Service
from support.databases import Databases
from support.every_app import WEBCHAT
from support.ingress_fakes import BOT, PROJECT, registry, trigger
from support.served import served

AT_LENGTH = Path(__file__).with_name("test_documents_at_length.py")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """All of its tests are slow, and seconds go by until schemathesis has found out which there are."""
    return True if collection_path == AT_LENGTH and config.getoption("markexpr") == "not slow" else None


@pytest.fixture(scope="module")
def services(databases: Databases) -> Iterator[dict[Service, str]]:
    """Service -> its base URL."""
    view, _ = registry()
    view.put("trigger", trigger(None))  # Its URL is enough: the callers of these tests have one token, the operator's.
    view.put("channel", Channel(id=WEBCHAT, project_id=PROJECT, bot_id=BOT, type="webchat", name="web"))
    view.put("channel", Channel(id="http-1", project_id=PROJECT, bot_id=BOT, type="http", name="http"))
    with (
        databases.fresh("dispatcher") as deliveries,
        databases.fresh("registry") as entities,
        databases.fresh("flow_engine") as conversations,
        served(view, {"dispatcher": deliveries, "registry": entities, "flow_engine": conversations}) as urls,
    ):
        yield urls
