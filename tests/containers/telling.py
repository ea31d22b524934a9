"""The demo's story, told to a composed installation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from containers.composed import Composed
from support.fake_telegram import fake_telegram
from support.receiver import receiver
from support.story import Story, no_blow


@asynccontextmanager
async def storyteller(place: Composed, blow: Callable[[], Awaitable[None]] = no_blow) -> AsyncIterator[Story]:
    """What the outside world is, at an address that the dispatcher reaches, and the story for it."""
    host = place.host_address()
    async with fake_telegram(host) as telegram, receiver(host) as far_end:
        story = Story(place.reached(), telegram, far_end, print, blow)
        try:
            yield story
        finally:
            await story.aclose()
