"""What an operator sees of the story: its traces at a collector, the log lines that belong to them, one tenant's dashboard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from devstack.tenant_dashboard import statements
from operations.dashboards import ROLE, prepare_reader
from operations.databases import with_database
from operations.services import OWNERS
from support.fake_telegram import fake_telegram
from support.ground import Ground
from support.otlp import Span
from support.reached import reached
from support.receiver import receiver
from support.story import Story
from support.trace_picture import JOINED
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")
PASSWORD = "of the dashboards"
QUIET = {"Destinations that are paused", "Failed attempts and limits met, by code", "Given up", "Waiting now"}
"""What a story that comes out well may leave empty."""


@pytest.mark.seconds(60)
async def test_a_collector_gets_the_whole_path_and_a_tenants_dashboard_shows_it(ground: Ground) -> None:
    collector, stack = ground.collector, ground.stack
    async with fake_telegram() as telegram, receiver() as far_end:
        story = Story(reached(stack), telegram, far_end, print, traced=True)
        await story.tell()
    project = story.setting.project

    def joined() -> list[Span] | None:
        """The trace that goes from a person's message to the last delivery, each span below the one that caused it."""
        mine = (
            spans for spans in collector.traces.values() if {span.attributes["project"] for span in spans} == {project}
        )
        whole = (spans for spans in mine if {span.name for span in spans} >= JOINED)
        return next((spans for spans in whole if [root.name for root in roots(spans)] == ["ingress.platform"]), None)

    await eventually(joined, seconds=20)

    await asyncio.to_thread(assert_logged, stack.logs, story.setting.bot)
    await eventually(lambda: a_failure_is_found_by_its_line(stack.logs, collector.traces), seconds=20)
    dsn = reader_dsn(stack.admin_dsn)
    await prepare_reader(stack.admin_dsn, {each: stack.dsn(each) for each in OWNERS}, dsn)
    reader = await asyncpg.connect(dsn)
    try:
        for title, sql in statements(project).items():
            rows = await reader.fetch(sql)
            assert rows or title in QUIET, title
        await refused(reader)
    finally:
        await reader.close()


def roots(spans: list[Span]) -> list[Span]:
    """Those whose cause is outside: the caller."""
    ids = {span.span_id for span in spans}
    return [span for span in spans if span.parent_id not in ids]


def reader_dsn(admin_dsn: str) -> str:
    parts = urlsplit(with_database(admin_dsn))
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{ROLE}:{PASSWORD.replace(' ', '%20')}@{address}"))


async def refused(reader: asyncpg.Connection[Any]) -> None:
    """What the role may not do."""
    for statement in (
        "SELECT payload FROM dispatcher.delivery",
        "SELECT request FROM dispatcher.attempt",
        "SELECT data FROM registry.entity",
        "SELECT state FROM flow_engine.conversation",
        "SELECT value FROM flow_engine.held",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch(statement)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await reader.execute("CREATE TEMPORARY TABLE kept (n int)")
    await reader.execute("SET default_transaction_read_only = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute("UPDATE dispatcher.delivery SET error = NULL")


def assert_logged(logs: Path, bot: str) -> None:
    """Each line about a conversation of the bot names its trace."""
    about = [line for line in lines(logs) if line.get("conversation", "").startswith(bot)]
    assert [line for line in about if "trace_id" not in line] == []


def a_failure_is_found_by_its_line(logs: Path, traces: dict[str, list[Span]]) -> bool:
    """The line of a command that raised leads to the request that ran it. Each service sends its spans when it has some."""
    failed = (line.get("trace_id", "") for line in lines(logs) if line["event"] == "flow.failed")
    return any("ingress.hook_url" in {span.name for span in traces.get(trace, [])} for trace in failed)


def lines(logs: Path) -> Iterator[dict[str, Any]]:
    """What all services logged."""
    for path in logs.glob("*.log"):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)
