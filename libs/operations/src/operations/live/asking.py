"""Asking every replica for its metrics at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import httpx

from operations.live.samples import Sample, sample_of
from operations.replicas import replicas_of

ANSWER_SECONDS = 3.0


async def samples(urls: Mapping[str, str]) -> dict[str, Sample | None]:
    """Replica -> what it says now, None where it does not answer. Names are resolved each time: replicas come and go."""
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        replicas = await replicas_of(urls)
        found = await asyncio.gather(*(_sample(client, url) for url in replicas.values()))
    return dict(zip(replicas, found, strict=True))


async def _sample(client: httpx.AsyncClient, url: str) -> Sample | None:
    try:
        answer = await client.get(f"{url}/metrics")
        return sample_of(answer.raise_for_status().text, time.monotonic())
    except (httpx.HTTPError, ValueError):
        return None
