"""What the flow engine takes from its environment."""

from __future__ import annotations

import os
from typing import Self

from pydantic import Field, model_validator

from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """The engine opens no secrets, so it has no key-encryption key; the link key is only for generated URLs."""

    port: int = Field(default=8082, ge=0, le=65535)
    max_records: int = Field(default=250, ge=1, le=2000)
    """Records of a batch."""
    parallel_batches: int = Field(default=3, ge=1, le=4)
    """Batches in work at once: one is computed while another one, of other partitions, is being committed."""
    compute_budget_ms: int = Field(default=200, ge=1)
    """A batch ends early after this much compute, and commits what it has."""
    compiled_flows: int = Field(default=256, ge=1)
    """Compiled flow versions kept in memory."""
    code_workers: int = Field(default=2, ge=1)
    """Processes that run code nodes; a project alone has half of them."""
    chat_log_days: int | None = Field(default=None, ge=1)
    """How long the chat log is kept; none: for ever."""
    event_log_days: int = Field(default=9, ge=8)
    """How long GET /v1/events/{id} and repeats of an event find it; at least as long as Idempotency-Key is kept."""

    @model_validator(mode="after")
    def _old_names(self) -> Self:
        if "SWITCHHOOK_LANES" in os.environ:
            raise ValueError("SWITCHHOOK_LANES is called SWITCHHOOK_PARALLEL_BATCHES now: set that one instead")
        return self
