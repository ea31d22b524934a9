"""Deliveries as tests need them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import Attempt, Delivery, DeliveryKind, Result
from servicekit.boot_clock import boot_seconds

CONVERSATION = "bot-1/tg-1/77"


def delivery(*, kind: str | DeliveryKind = "event", **more: Any) -> Delivery:
    """A leased event for endpoint e1, on its first attempt, unless told otherwise."""
    fields: dict[str, Any] = {
        "key": uuid4(), "day": date(2026, 11, 21), "project_id": "project-1", "kind": DELIVERY_KINDS[kind] if isinstance(kind, str) else kind, "queue_id": 1,
        "destination": "endpoint:e1", "source": "events/0", "payload": b"{}", "lease": uuid4(),
        "lease_ends": boot_seconds() + 60, "conversation": CONVERSATION,
    }  # fmt: skip
    return Delivery(**(fields | more))


def attempted(one: Delivery, outcome: Any = "succeeded", **more: Any) -> Result:
    """A result with an attempt."""
    made = Attempt(one.attempts, datetime(2026, 11, 21, tzinfo=UTC), 5, more.get("status"), b"{}", None)
    return Result(one, outcome, attempt=made, **more)
