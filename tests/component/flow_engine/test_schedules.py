"""Schedules of flows over PostgreSQL: moments become broadcasts, once, and those are walked and applied."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from contracts.cloudevents import rfc3339
from contracts.registry import Flow, Schedule, Segment
from flow_engine.batch import scheduling
from flow_engine.batch.scheduling import Scheduling
from flow_engine.store import schedules
from servicekit.failpoints import failpoint
from support.broadcasts import NEWS, Sender, bot_of, outcomes
from support.engine_world import PROJECT, EngineWorld, flow_version

TRIGGER = {"id": "often", "type": "schedule", "cron": "* * * * *", "to": "tell"}
"""What is in the flow; when it is due, the registry says with the flow."""


class Scheduled(Sender):
    """A bot whose flow has a schedule. `version` is that of the flow."""

    version = 1

    def publish(self, ago: timedelta, **more: Any) -> None:
        """The flow is published, with this schedule, so long ago. As a rule it is due once an hour."""
        self.version += 1
        given = {"trigger": "often", "cron": hourly(30), "timezone": "UTC", "grace": "PT1H", "rate": 500.0} | more
        trigger = TRIGGER | ({"when": more["when"]} if "when" in more else {})
        document = NEWS | {"triggers": [trigger]}
        id, at = f"flow-{self.bot}", datetime.now(UTC) - ago
        version = flow_version(document, flow=id, version=self.version)
        self.world.view.put(version.model_copy(update={"bot_id": self.bot}))
        self.world.view.put(Flow(
            id=id, project_id=PROJECT, bot_id=self.bot, slug="news", name="News", published=self.version,
            schedules=(Schedule.model_validate(given),) if given["cron"] else (), published_at=rfc3339(at),
        ))  # fmt: skip

    def scheduler(self) -> Scheduling:
        """An engine that has just started."""
        view: Any = self.world.view
        return Scheduling(self.world, self.pool, view, self.world.catalogue)

    async def made(self) -> list[dict[str, Any]]:
        """Its broadcasts, in the order of their moments."""
        found = (await self.http.get("/v1/broadcasts", params={"bot": self.bot, "limit": 100})).json()["items"]
        return sorted(found, key=lambda one: str(one["moment"]))

    async def row(self) -> Any:
        return await self.pool.fetchrow("SELECT * FROM schedule WHERE flow_id = $1", f"flow-{self.bot}")


@pytest.fixture
def sender(world: EngineWorld, pool: Any, http: httpx.AsyncClient, without_rests: None) -> Scheduled:
    return Scheduled(world, pool, http, bot_of(world))


HOUR = timedelta(hours=1)


def hourly(*ago: int) -> str:
    """A schedule that is due once an hour at each of these distances, in minutes before now: at none of them while a test runs."""
    now = datetime.now(UTC)
    return f"{','.join(str((now - timedelta(minutes=each)).minute) for each in ago)} * * * *"


async def test_each_contact_runs_once_at_a_moment(sender: Scheduled) -> None:
    for peer in ("Ann", "Ben"):
        await sender.says(peer)
    sender.publish(HOUR)
    await asyncio.gather(*(one.look() for one in (sender.scheduler(), sender.scheduler(), sender.scheduler())))
    (made,) = await sender.made()
    done = await sender.until(made)
    assert (outcomes(done), done["entry"]) == ({"started": 2}, "often")
    assert (made["moment"], made["data"]) == (made["starts_at"], {"moment": made["moment"]})
    launched = [one["trigger"] for one in sender.world.events("flow.launched") if one["bot"]["id"] == sender.bot]
    assert launched == [{"id": "often", "type": "schedule"}] * 2
    again = sender.scheduler()  # Restarted: it knows what is settled.
    for _ in range(3):
        await again.look()
        await sender.walker.look()
        await sender.world.settle()
    assert len(await sender.made()) == 1
    assert [len(await sender.heard(peer)) for peer in ("Ann", "Ben")] == [1, 1]


async def test_an_outage_skips_what_is_missed_by_more_than_the_grace_and_counts_it(sender: Scheduled) -> None:
    sender.publish(10 * HOUR, grace="PT3H")
    await sender.scheduler().look()
    made = await sender.made()
    row = await sender.row()
    assert (len(made), row["skipped"]) == (3, 7)
    hours = [datetime.fromisoformat(one["moment"]).hour for one in made]
    assert [(hours[0] + ahead) % 24 for ahead in range(3)] == hours
    assert rfc3339(row["last"]) == made[-1]["moment"]


async def test_a_kill_leaves_all_of_a_moment_or_nothing(sender: Scheduled, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    async def kill(name: str) -> None:
        assert name == "schedule_made"
        raise Killed

    sender.publish(HOUR)
    with monkeypatch.context() as killing:
        killing.setattr(scheduling, "failpoint", kill)
        with pytest.raises(Killed):
            await sender.scheduler().look()
    assert (await sender.made(), await sender.row()) == ([], None)
    assert scheduling.failpoint is failpoint
    await sender.scheduler().look()
    assert len(await sender.made()) == 1


async def test_publishing_rolling_back_and_deleting_change_it_from_then_on(sender: Scheduled) -> None:
    sender.publish(HOUR)
    engine = sender.scheduler()
    await engine.look()
    sender.publish(timedelta(0), cron=hourly(20, 40))  # From now on: not for the moments of before.
    await engine.look()
    assert len(await sender.made()) == 1
    sender.publish(timedelta(minutes=5), cron="* * * * *")
    await engine.look()
    assert len(await sender.made()) in (6, 7)  # A minute may have passed.
    before = len(await sender.made())
    sender.publish(10 * HOUR, cron="")  # A version without one, published again.
    await engine.look()
    sender.publish(10 * HOUR, cron=hourly(30), grace="P2D")
    sender.world.view.delete("flow", f"flow-{sender.bot}", PROJECT)
    await engine.look()
    assert len(await sender.made()) == before


async def test_what_is_on_its_way_begins_nothing_where_the_trigger_is_gone(sender: Scheduled) -> None:
    await sender.says("Ann")
    sender.publish(HOUR)
    await sender.scheduler().look()
    sender.world.view.put(
        flow_version(NEWS, flow=f"flow-{sender.bot}", version=9).model_copy(update={"bot_id": sender.bot})
    )
    gone = sender.world.view.get("flow", f"flow-{sender.bot}")
    sender.world.view.put(gone.model_copy(update={"published": 9, "schedules": ()}))
    done = await sender.until((await sender.made())[0])
    assert (done["counts"]["reasons"], await sender.heard("Ann")) == ({"failed": {"trigger-unpublished": 1}}, [])


async def test_it_is_for_the_members_of_a_segment_and_whom_the_condition_lets_in(sender: Scheduled) -> None:
    name = f"of-{sender.bot}"
    sender.world.view.put(Segment(id=name, project_id=PROJECT, name=name, filter='"a" in contact.tags'))
    for peer, tags in (("Ann", ["a"]), ("Ben", ["a", "b"]), ("Cleo", [])):
        await sender.says(peer)
        await sender.event("contact_update", peer, add_tags=tags)
    sender.publish(HOUR, segment=name, when="!('b' in user.tags)")
    await sender.scheduler().look()
    done = await sender.until((await sender.made())[0])
    assert (outcomes(done), len(await sender.heard("Ann"))) == ({"started": 1, "skipped": 1}, 1)
    assert done["counts"]["reasons"] == {"skipped": {"condition-not-met": 1}}


async def test_a_segment_that_is_gone_has_the_moment_skipped(sender: Scheduled) -> None:
    sender.publish(HOUR, segment="gone")
    await sender.scheduler().look()
    assert (await sender.made(), (await sender.row())["skipped"]) == ([], 1)


async def test_what_one_schedule_fails_with_stops_no_other(
    sender: Scheduled, world: EngineWorld, pool: Any, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Scheduled(world, pool, http, bot_of(world))
    sender.publish(HOUR, segment="broken")
    other.publish(HOUR)
    monkeypatch.setattr(world.catalogue, "segment", lambda project, name: 1 / 0)
    await sender.scheduler().look()
    assert (len(await sender.made()), len(await other.made())) == (0, 1)


async def test_the_row_of_a_deleted_flow_goes_and_that_of_a_living_one_stays(sender: Scheduled) -> None:
    sender.publish(HOUR)
    await sender.scheduler().look()
    yesterday = "UPDATE schedule SET last = now() - interval '25 hours' WHERE flow_id = $1"
    await sender.pool.execute(yesterday, f"flow-{sender.bot}")
    await sender.scheduler().look()
    assert await sender.row() is not None
    await sender.pool.execute(yesterday, f"flow-{sender.bot}")
    sender.world.view.delete("flow", f"flow-{sender.bot}", PROJECT)
    await sender.scheduler().look()
    assert await sender.row() is None


async def test_its_broadcasts_are_deleted_when_they_are_long_over(
    sender: Scheduled, monkeypatch: pytest.MonkeyPatch
) -> None:
    for peer in ("Ann", "Ben"):
        await sender.says(peer)
    sender.publish(HOUR)
    engine = sender.scheduler()
    await engine.look()
    made, by_program = (await sender.made())[0], await sender.make(entry=None)
    for one in (made, by_program):
        await sender.until(one)
    old = "UPDATE broadcast SET ended_at = now() - interval '9 days' WHERE id = ANY ($1::uuid[])"
    await sender.pool.execute(old, [made["id"], by_program["id"]])
    monkeypatch.setattr(schedules, "FORGOTTEN_AT_ONCE", 1)
    await sender.scheduler().look()
    assert [one["id"] for one in await sender.made()] == [by_program["id"]]
    left = "SELECT count(*) FROM broadcast_recipient WHERE broadcast = $1"
    assert await sender.pool.fetchval(left, made["id"]) == 0
    assert await sender.pool.fetchval(left, by_program["id"]) == 2
