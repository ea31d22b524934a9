"""The operator's commands, run as the pages of docs/how-to say."""

from __future__ import annotations

import asyncio
import os
import sys

from devstack.checkpoints import Misfit, misfits
from devstack.database import OWNERS
from devstack.errors import StackError
from devstack.stack import TOPIC_PREFIX, Stack

AT_ONCE = 3
"""Commands that an operator runs side by side."""


async def switchhook(stack: Stack, *words: str, service: str | None = None) -> str:
    """What `./switchhook …` prints, with the settings of the stack and the database of a service. StackError on exit code 1."""
    env = os.environ | {"SWITCHHOOK_KAFKA": stack.bootstrap_servers, TOPIC_PREFIX: stack.cluster.topic_prefix}
    env["SWITCHHOOK_ADMIN_TOKEN"] = stack.secrets.admin_token
    if service is not None:
        env["SWITCHHOOK_DATABASE"] = stack.dsn(service)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "devstack.cli", *words, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )  # fmt: skip
    output, errors = await process.communicate()
    if process.returncode != 0:
        raise StackError(f"`./switchhook {' '.join(words)}` failed: {errors.decode().strip()}")
    return output.decode().strip()


async def stopped(stack: Stack) -> list[Misfit]:
    """The partitions that wait for an operator, as `./switchhook doctor` names them."""
    return await misfits(stack.cluster, {service: stack.dsn(service) for service in OWNERS})


async def accept_losses(stack: Stack) -> list[str]:
    """Run the command that doctor names for each of them; what the commands answered."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def accept(found: Misfit) -> str:
        async with gate:
            return await switchhook(stack, *found.command.split()[1:], service=found.service)

    return list(await asyncio.gather(*(accept(found) for found in await stopped(stack))))
