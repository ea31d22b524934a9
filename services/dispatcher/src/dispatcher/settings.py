"""Everything this process takes from its environment, beside what every service does."""

from __future__ import annotations

from math import ceil
from typing import Self

from pydantic import Field, model_validator

from dispatcher.model import retry_schedule
from servicekit.settings import ServiceSettings

LONGEST_TIMEOUT = 30.0
"""Longest time-out that anybody can choose for a request, seconds."""
SHORTEST_RETENTION_DAYS = ceil(retry_schedule.longest() / 86_400) + 1


class Settings(ServiceSettings):
    """Lease and time-outs: a request must end before the lease that allowed it (a lease too short sends twice)."""

    lease_margin_seconds: float = Field(default=2.0, gt=0)
    """How long before a lease's end its request must be over."""
    request_timeout_seconds: float = Field(default=0.0, ge=0)
    """No request takes longer, whatever its endpoint says; 0: what the lease allows, at most 30 s."""
    max_in_flight: int = Field(default=1024, ge=1)
    """Requests of this process at once, over all destinations."""
    retention_days: int = Field(default=30, ge=SHORTEST_RETENTION_DAYS)
    """How long deliveries and attempts are kept; a day longer than the longest schedule."""

    first_attempts: bool = True
    """Try at once, from memory; without it every attempt goes through a claim, as a retry does."""

    @property
    def longest_request(self) -> float:
        """Seconds that a request may take at most."""
        return self.request_timeout_seconds or min(LONGEST_TIMEOUT, self.lease_seconds - self.lease_margin_seconds)

    @model_validator(mode="after")
    def _lease_outlives_a_request(self) -> Self:
        if self.lease_seconds < self.longest_request + self.lease_margin_seconds or self.longest_request <= 0:
            raise ValueError(
                "SWITCHHOOK_LEASE_SECONDS must be at least SWITCHHOOK_REQUEST_TIMEOUT_SECONDS +"
                " SWITCHHOOK_LEASE_MARGIN_SECONDS, and more than SWITCHHOOK_LEASE_MARGIN_SECONDS alone"
            )
        return self
