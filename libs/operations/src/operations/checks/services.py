"""The services' own ports: readiness and clock of each replica."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime

import httpx

from operations.checks.clocks import away, clock
from operations.replicas import replicas_of
from operations.report import Check

PROBE_SECONDS = 3.0


async def readiness(urls: Mapping[str, str]) -> AsyncIterator[Check]:
    """The readiness of each replica; one that is not ready, or warns, says why. A clock that is wrong is a line more."""
    async with httpx.AsyncClient(timeout=PROBE_SECONDS, trust_env=False) as client:
        for replica, url in (await replicas_of(urls)).items():
            sent = time.time()
            try:
                answer = await client.get(f"{url}/health/ready")
                found = answer.json()
                said = {**found.get("reasons", {}), **found.get("warnings", {})}
            except (httpx.HTTPError, ValueError):
                yield Check(f"{replica} at {url}", fine=False, advice="it does not answer; see its log")
                continue
            advice = "; ".join(f"{name}: {what}" for name, what in said.items())
            yield Check(f"{replica} at {url}", answer.status_code == 200 and not said, advice or "see its log")
            if wrong := clock_of(replica, answer, sent, time.time()):
                yield wrong


def clock_of(replica: str, answer: httpx.Response, sent: float, received: float) -> Check | None:
    """From its Date, which has whole seconds; None where it is right, or not told."""
    try:
        date = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
    return clock(replica, away(sent, received, date, date + 1.0))
