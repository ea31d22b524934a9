"""Topics of the test's own with a registry in them, a replica of ingress on them, and an engine that the test plays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from contracts.registry import Channel
from support.ingress_fakes import BOT, PROJECT, registry
from support.ingress_kafka import RunningIngress, Topics, ingress_on, topics_on


@dataclass
class Shop:
    """What an integrator holds."""

    token: str
    token_id: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


@pytest.fixture
async def topics(kafka: str) -> AsyncIterator[Topics]:
    async with topics_on(kafka) as made:
        yield made


@pytest.fixture
async def shop(topics: Topics) -> Shop:
    """The registry of the unit tests, with a channel of each kind, as records."""
    view, token = registry()
    known = {"project_id": PROJECT, "bot_id": BOT}
    await topics.registry.put(
        *view.entities.values(),
        Channel(id="web-1", type="webchat", name="web", **known),
        Channel(id="http-1", type="http", name="api", **known),
    )
    await topics.registry.snapshot()
    return Shop(token, view.get("trigger", "trigger-1").auth.token_id)


@pytest.fixture
async def ingress(topics: Topics, shop: Shop) -> AsyncIterator[RunningIngress]:
    async with ingress_on(topics) as running:
        yield running
