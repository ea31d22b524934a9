"""A version is retired while a batch that starts somebody on it is being computed."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from flow_engine.state import stored_state
from servicekit.loop.batches import Batch, Commit
from support.engine import RunningEngine
from support.engine_flows import LECTURE
from support.engine_world import flow, flow_version
from support.waiting import eventually


async def versions_stood_on(engine: RunningEngine) -> list[int]:
    rows = await engine.pool.fetch("SELECT key, state FROM conversation")
    found = [stored_state.decode(row["state"], key=row["key"], contact_id="", version=1) for row in rows]
    return [one.session.flow_version for one in found if one.session is not None]


async def test_nobody_comes_to_stand_on_a_version_that_was_retired_meanwhile(
    engine: RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch that was computed before is not saved; it waits for the view, which still shows the version as published."""
    assert engine.handler is not None
    apply, computed, go_on = engine.handler.apply, asyncio.Event(), asyncio.Event()

    async def slowly(batch: Batch) -> Commit:
        commit = await apply(batch)
        computed.set()
        await go_on.wait()
        return commit

    monkeypatch.setattr(engine.handler, "apply", slowly)
    await engine.say("/start")
    await computed.wait()
    assert await engine.store.retire(1, {"flow-1": 1})
    with capture_logs() as logs:
        go_on.set()
        await eventually(lambda: any("flow-1 is retired" in line.get("error", "") for line in logs))
    assert any(line["event"] == "batch.fenced" for line in logs)
    assert await versions_stood_on(engine) == []
    await engine.registry.put(flow_version(LECTURE, version=2), flow("lecture", published=2))
    await eventually(lambda: versions_stood_on(engine))
    assert await versions_stood_on(engine) == [2]
