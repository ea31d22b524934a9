"""Token buckets in memory, divided by the living instances.

A bucket belongs to one project: what one allows its callers, and what they use up, is nothing to any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from servicekit.web.problems import ProblemError

MANY_BUCKETS = 50_000
FORGET_EVERY_SECONDS = 1.0
"""Not at each request: buckets that fill up in a day stay for that long, however many there are."""


@dataclass(frozen=True)
class Rate:
    """At most `count` at once, refilled evenly over `per_seconds`."""

    count: int
    per_seconds: float

    @cached_property
    def interval(self) -> float:
        """Seconds between two requests of an even stream."""
        return self.per_seconds / self.count


COUNT_EVERY_SECONDS = 1.0
"""How often it is asked how many instances live."""
Clock = Callable[[], float]
OPEN_DOOR = Rate(1_200, 60)
"""Per address where the caller has no token: generated URLs, `url` triggers, web chat."""
PROVEN = Rate(20_000, 1)
"""Per trigger and per token: generous, a guard against a loop that ran away."""
OWN_REQUESTS = Rate(3_000, 60)
"""Per project, requests that its own effects led to: the bound of hops ends a loop after 16 rounds, and without this one
each round could be many times as broad as the one before it."""
RAISE = "The project's rate limits can be raised, and exempt_cidrs lifts them for addresses you trust."
SLOW_DOWN = "These are requests that flows or webhooks of the project itself led to (Switchhook-Hops)."


class Limits(NamedTuple):
    """Of one project. `per_address` None: callers who prove themselves by a token are not counted by address."""

    project_id: str
    per_address: Rate | None = None
    per_trigger: Rate = PROVEN
    exempt: tuple[IPv4Network | IPv6Network, ...] = ()


def limits_of(project_id: str, settings: dict[str, Any]) -> Limits:
    """A project's `rate_limits {per_address?, per_trigger?, exempt_cidrs?[]}`; what is absent or unreadable is the default."""
    if not settings:
        return Limits(project_id)
    return Limits(
        project_id,
        _rate(settings.get("per_address")),
        _rate(settings.get("per_trigger")) or PROVEN,
        tuple(_network(text) for text in settings.get("exempt_cidrs") or ()),
    )


@lru_cache(1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


def _rate(given: dict[str, Any] | None) -> Rate | None:
    return Rate(int(given["count"]), float(given["per_seconds"])) if given else None


def is_exempt(limits: Limits, ip: str) -> bool:
    """Whether the address is in one of `exempt_cidrs`."""
    if not limits.exempt:
        return False
    address = _address(ip)
    return address is not None and any(address in network for network in limits.exempt)


@lru_cache(4096)
def _address(ip: str) -> IPv4Address | IPv6Address | None:
    """The address, an IPv4-mapped one as the IPv4 address that it is; None for what is none."""
    try:
        found = ip_address(ip)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


@lru_cache(4096)
def counted_as(ip: str) -> str:
    """Whom an address is counted with: an IPv6 address with its /64, because one subscriber has all of that."""
    address = _address(ip)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return ip if address is None else str(address)


class Buckets:
    """One bucket per (name, who). A bucket that is full again is forgotten when there are many."""

    def __init__(self, instances: Callable[[], int], clock: Clock = time.monotonic) -> None:
        self._instances, self._clock = instances, clock
        self._living, self._count_again_at = 1, 0.0
        self._full_at: dict[tuple[str, str], float] = {}
        self._forgot_at = 0.0

    def take(self, name: str, who: str, rate: Rate) -> float:
        """0 when one more is within the rate, else the seconds until it is.

        A bucket is the moment at which it is full again (GCRA): each request moves it on by one interval.
        """
        now, key = self._clock(), (name, who)
        if now >= self._count_again_at:
            self._living, self._count_again_at = self._instances(), now + COUNT_EVERY_SECONDS
        interval = rate.interval * self._living
        full_at = self._full_at.get(key, now)
        full_at = (full_at if full_at > now else now) + interval
        over = full_at - now - (rate.per_seconds if rate.per_seconds > interval else interval)
        if over > 1e-9:
            return over
        self._full_at[key] = full_at
        if len(self._full_at) > MANY_BUCKETS and now >= self._forgot_at + FORGET_EVERY_SECONDS:
            self._forgot_at = now
            self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        return 0.0


class Limiter:
    """Judges a request by its project's limits. Raises ProblemError 429."""

    def __init__(self, instances: Callable[[], int], clock: Clock = time.monotonic) -> None:
        self._buckets = Buckets(instances, clock)

    def check_address(self, limits: Limits, ip: str, *, open_door: bool) -> None:
        """Count the address, where the project or an open door limits it."""
        rate = limits.per_address or (OPEN_DOOR if open_door else None)
        if rate is not None and not is_exempt(limits, ip):
            self._check("address", f"{limits.project_id}/{counted_as(ip)}", rate)

    def check_trigger(self, limits: Limits, ip: str, trigger_id: str) -> None:
        """Count a trigger or generated URL."""
        if not limits.exempt or not is_exempt(limits, ip):
            self._check("trigger", trigger_id, limits.per_trigger)

    def check_token(self, limits: Limits, ip: str, token_id: str) -> None:
        """Count a token."""
        if not limits.exempt or not is_exempt(limits, ip):
            self._check("token", token_id, PROVEN)

    def check_own(self, project_id: str, hops: int) -> None:
        """Count a request that the project's own effects led to (one with hops)."""
        if hops:
            self._check("own-requests", project_id, OWN_REQUESTS, SLOW_DOWN)

    def _check(self, name: str, who: str, rate: Rate, hint: str = RAISE) -> None:
        over = self._buckets.take(name, who, rate)
        if over:
            raise too_many(name, rate, over, hint)


def too_many(name: str, rate: Rate, over: float, hint: str) -> ProblemError:
    """429 that names the limit, when to come back, and what lifts it."""
    seconds = max(1, round(over + 0.5))
    return ProblemError(
        "too-many-requests", 429, "Too many requests",
        f"The limit per {name} is {rate.count} in {rate.per_seconds:g} s. {hint}",
        headers={
            "Retry-After": str(seconds),
            "RateLimit": f'"{name}";r=0;t={seconds}',
            "RateLimit-Policy": f'"{name}";q={rate.count};w={rate.per_seconds:g}',
        },
    )  # fmt: skip
