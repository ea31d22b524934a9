"""The twin in memory does what every DeliveryStore does, so that tests may stand on it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from support.deliveries_in_memory import DeliveriesInMemory
from support.delivery_destinations_suite import DestinationsSuite
from support.delivery_lanes_suite import LanesSuite
from support.delivery_store_suite import DeliveryStoreSuite, Kept


class TestTwin(DeliveryStoreSuite, LanesSuite, DestinationsSuite):
    @pytest.fixture
    def kept(self) -> Kept:
        store = DeliveriesInMemory()
        return Kept(store, nullcontext, store.state, store.replay)
