"""`switchhook dev`: the stack until Ctrl-C, with something in it to try."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from devstack.seed import Seed, plant
from devstack.stack import ALLOWED_NETWORKS, Stack, reset
from devstack.telling import tell_failures


async def run(folder: Path, *, port: int, forget: bool) -> None:
    """Run the stack in `folder` until SIGINT or SIGTERM, then stop it in order."""
    stop_when_asked()
    if forget:
        reset(folder)
    began = time.monotonic()
    say("Starting Kafka, PostgreSQL and the services (the first start downloads Kafka, 40 MB) …")
    stack = Stack(
        folder,
        port=port,
        env=operators_settings(),
        kafka=os.environ.get("SWITCHHOOK_KAFKA"),
        database=os.environ.get("SWITCHHOOK_DATABASE"),
        report=say,
    )
    with contextlib.suppress(asyncio.CancelledError):
        async with stack:
            seed = await plant(stack.base_url, stack.secrets.admin_token, folder / "seed.json")
            say(f"Ready after {time.monotonic() - began:.1f} s. Ctrl-C stops everything.\n\n{welcome(stack, seed)}")
            telling = asyncio.create_task(tell_failures(stack.service("flow-engine").log, say))
            try:
                await asyncio.Event().wait()
            finally:
                telling.cancel()
                say("Stopping …")
    say("Stopped.")


def operators_settings() -> dict[str, str]:
    """What the environment says where a stack on this machine would else choose for itself."""
    return {name: os.environ[name] for name in (ALLOWED_NETWORKS,) if name in os.environ}


def stop_when_asked() -> None:
    """Cancel this task at the first SIGINT or SIGTERM; later ones change nothing, so that stopping is done in order."""
    task = asyncio.current_task()
    assert task is not None
    asked: list[int] = []

    def ask(number: int) -> None:
        if not asked:
            task.cancel()
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)


def welcome(stack: Stack, seed: Seed) -> str:
    """Addresses, the token and three commands to try."""
    base = stack.base_url
    return f"""\
  base URL   {base}
  token      {seed.token}
  secret     {seed.signing_secret or "shown once, when the project was made"} (signs the webhooks of flow steps)
  operator   the token in {stack.folder / "secrets.json"}
  Kafka      {stack.bootstrap_servers}
  logs       {stack.logs}

Try:
{seed.examples(base)}
"""


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)
