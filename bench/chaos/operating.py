"""The operator's commands, run as the pages of docs/how-to say."""

from __future__ import annotations

import asyncio
import os
import sys

from devstack.errors import StackError
from devstack.stack import TOPIC_PREFIX, Stack
from operations.checkpoints import Misfit, misfits
from operations.services import OWNERS


async def switchhook(stack: Stack, *words: str, service: str | None = None) -> str:
    """What `./switchhook …` prints, with the settings of the stack, or those of a service. StackError on exit code 1."""
    servers = {"SWITCHHOOK_KAFKA": stack.bootstrap_servers, TOPIC_PREFIX: stack.cluster.topic_prefix}
    if service is None:
        env = os.environ | servers | {"SWITCHHOOK_ADMIN_TOKEN": stack.secrets.admin_token}
    else:
        env = stack.service(service).env | servers
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
    """Run the command that doctor names for each service that has some; what the commands answered, a line for each."""
    services = sorted({found.service for found in await stopped(stack)})
    answers = await asyncio.gather(
        *(switchhook(stack, "topics", "accept-loss", service, service=service) for service in services)
    )
    return [line for answer in answers for line in answer.splitlines()]
