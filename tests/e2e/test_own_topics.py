"""A project's own topics on the whole stack: made by the operator's command, and all that a program of the project needs."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from faststream.kafka import KafkaBroker

from operations.api import Api
from support.ground import Ground
from support.topics import delete_topics
from support.waiting import eventually
from switchhook_sdk import CloudEvent, Switchhook

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.seconds(60)]


async def project_kafka(ground: Ground, *arguments: str) -> list[str]:
    """The lines that `switchhook project kafka` prints."""
    stack = ground.stack
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "devstack.cli", "project", "kafka", *arguments,
        "--url", stack.service("registry").base_url, "--kafka", stack.cluster.servers,
        env={"SWITCHHOOK_ADMIN_TOKEN": stack.secrets.admin_token, "SWITCHHOOK_TOPIC_PREFIX": stack.cluster.topic_prefix},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().splitlines()


async def test_a_program_of_a_project_works_on_its_own_topics_alone(ground: Ground) -> None:
    stack, operator = ground.stack, ground.stack.secrets.admin_token
    async with Api(stack.base_url, operator) as api:
        project = await api.post("/v1/projects", {"name": "Has its own topics"})
    async with Api(stack.base_url, operator, project["id"]) as api:
        bot = (await api.post("/v1/bots", {"name": "A bot"}))["id"]
        token = (await api.post("/v1/tokens", {"name": "crm", "scopes": ["data:write"]}))["token"]
    name = f"{stack.cluster.topic_prefix}switchhook.project.{project['slug']}"
    names = [f"{name}.commands.v1", f"{name}.events.v1"]
    said = await project_kafka(ground, project["id"], "--partitions", "2")
    assert said[:2] == [f"created {each}" for each in names]
    assert len(said) == 5
    assert said[3].endswith(f"--topic {names[1]}")
    assert await project_kafka(ground, project["id"]) == said[2:]
    switchhook = Switchhook(
        KafkaBroker(stack.cluster.servers),
        own_topics=project["slug"],
        group="crm",
        topic_prefix=stack.cluster.topic_prefix,
    )
    seen, crm = list[str](), switchhook.commands(token, source="crm")

    @switchhook.events("command.accepted")
    async def accepted(event: CloudEvent[Any]) -> None:
        seen.append(event.data.command.id)

    try:
        await switchhook.broker.start()
        told = await crm.create(bot=bot, profile={"external_id": "17"}, tags=["vip"], id="first", wait=40)
        assert told.status == "accepted"
        await eventually(lambda: seen == ["first"])
    finally:
        await switchhook.broker.stop()
    assert all("no longer used" in line for line in await project_kafka(ground, project["id"], "--remove"))
    await delete_topics(stack.cluster.servers, *names)
