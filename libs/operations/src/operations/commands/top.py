"""`top`: what every replica and topic of an installation is doing now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from operations.errors import CommandError
from operations.installation import Installation, installation

if TYPE_CHECKING:
    from operations.live.rows import ReplicaRow, TopicRow

    Show = Callable[[list[ReplicaRow], list[TopicRow]], None]

Interval = Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")]
Times = Annotated[int | None, typer.Option(min=1, help="How often; without it until Ctrl-C.")]


def watch(context: typer.Context, interval: Interval = 2.0, times: Times = None) -> None:
    """Rates and levels of every replica and topic, from their metrics: a live view, or plain lines where it is piped."""
    here = installation(context)
    if not here.urls:
        raise CommandError(f"It is not known where the services are: {here.how}.")
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(here, interval, times))


async def _watch(here: Installation, interval: float, times: int | None) -> None:
    from rich.console import Console
    from rich.live import Live

    from operations.live.screen import lines, tables

    console = Console()
    if not console.is_terminal:
        async for replicas, topics in _looks(here, interval, times):
            at = time.strftime("%H:%M:%S")
            for line in lines(replicas, topics):
                typer.echo(f"{at}  {line}")
        return
    with Live(console=console, auto_refresh=False, screen=times is None) as live:
        async for replicas, topics in _looks(here, interval, times):
            live.update(tables(replicas, topics), refresh=True)


async def _looks(
    here: Installation, interval: float, times: int | None
) -> AsyncIterator[tuple[list[ReplicaRow], list[TopicRow]]]:
    """Rows every interval, the first ones after the first."""
    from operations.live.asking import samples
    from operations.live.rows import replica_rows, topic_rows

    before, done = await samples(here.urls), 0
    while times is None or done < times:
        await asyncio.sleep(interval)
        now = await samples(here.urls)
        yield replica_rows(before, now), topic_rows(before, now)
        before, done = now, done + 1
