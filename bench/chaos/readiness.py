"""What the services' readiness says, which is what an operator sees."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp

from devstack.stack import Stack

LOOK_SECONDS = 0.5
TIMEOUT = aiohttp.ClientTimeout(total=3)


async def said(stack: Stack) -> dict[str, str]:
    """Instance -> what makes it red, and its warnings, in one text. Who is green without a warning is left out."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        urls = {instance: service.base_url for instance, service in stack.services.items()}
        texts = await asyncio.gather(*(_said(session, url) for url in urls.values()))
    return {instance: text for instance, text in zip(urls, texts, strict=True) if text}


async def _said(session: aiohttp.ClientSession, url: str) -> str:
    try:
        async with session.get(f"{url}/health/ready") as response:
            answer = await response.json()
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"it does not answer ({type(error).__name__})"
    told = {**answer["reasons"], **answer.get("warnings", {})}
    return "; ".join(f"{name}: {what}" for name, what in told.items())


async def until(stack: Stack, enough: Callable[[dict[str, str]], bool], seconds: float) -> dict[str, str] | None:
    """What is said once it is enough; None when it is not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = await said(stack)
        if enough(now):
            return now
        await asyncio.sleep(LOOK_SECONDS)
    return None


def names(*words: str, of: str | None = None) -> Callable[[dict[str, str]], bool]:
    """Whether one instance, or this one, says all of these words."""
    return lambda now: any(
        all(word in text for word in words) for instance, text in now.items() if of is None or instance == of
    )


async def not_alive(stack: Stack) -> list[str]:
    """The instances whose liveness is not as it should be."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        alive = await asyncio.gather(*(_alive(session, service.base_url) for service in stack.services.values()))
    return [instance for instance, lives in zip(stack.services, alive, strict=True) if not lives]


async def _alive(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health/live") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def nothing(now: dict[str, str]) -> bool:
    """Whether everybody is ready, without a warning."""
    return not now
