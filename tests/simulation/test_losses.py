"""A fault that was found and mended is found again when it is put back.

Not here, but in the tests that guarantees.md names beside them, are those of parts that are not simulated. The registry's topic that
was made anew (10.3): its reader is no part of a run. Limits of memory (10.10): a run counts no bytes. Lanes of more than a
week and endpoints that are resumed (10.11a, 10.11c): they are statements of PostgreSQL, which the twins do not have. Results that
are left after a stall (10.11b): what they cost is time of servers, of which a run has none. What the registry publishes after a
restore (10.8f): it is no part of a run. A wake that is fenced off by this process's own new hold (10.13h): recovery waits for that
wake's transaction before it reads what is deferred, so that what is let go of is told again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest

import servicekit.loop.infrastructure
import servicekit.loop.preparation
from dispatcher.intake import dead_calls
from dispatcher.model.delivery import Result
from dispatcher.results.outcomes import Outcomes
from dispatcher.scheduling.destination import Destination
from dispatcher.scheduling.destinations import Destinations
from flow_engine.batch import handler, importing
from flow_engine.batch.redriving import Redriving
from flow_engine.batch.timers import Timers
from flow_engine.programs import deferring, stepping
from flow_engine.programs.deferring import Deferring
from flow_engine.turn import effects
from flow_engine.turn.outputs import MESSAGE_LIFE
from flowlang import clock
from flowlang.running.run import Run
from servicekit.checkpoints import fence
from servicekit.checkpoints.transactions import OutcomeUnknown
from servicekit.kafka import records
from servicekit.kafka.records import Source
from servicekit.loop import upkeep
from servicekit.loop.batch_size import BatchSize
from servicekit.loop.brake import Brake
from servicekit.loop.database_age import DatabaseAge
from servicekit.loop.partitions import Partition
from simulation import repairs
from simulation.database import Statements
from simulation.faults import BAD_RELEASE, BESIDE_SLOW_ONES, BLINKS, PROGRAMS, SHAKEN, Profile
from simulation.programs import Pace
from simulation.run import simulate

SEEDS = 200
TURNS_WITHOUT_ANSWER = Profile(unknown=0.2, late=0.05, people=2, quick_people=6, pace=Pace(busy=0.4))
SKIP = Profile(restored=("dispatcher", "skip"), unknown=0.05)


def marks_know_no_incarnation(patch: pytest.MonkeyPatch) -> None:
    """What follows a topic that was made anew is taken for repeats of its old records."""

    def is_repeat(seen: fence.Seen, source: Source) -> bool:
        return (source.offset, source.ordinal) <= seen.get(f"{source.topic}/{source.partition}", (-1, -1))[:2]

    patch.setattr(servicekit.loop.preparation, "is_repeat", is_repeat)


def a_log_that_was_cut_off_keeps_its_incarnation(patch: pytest.MonkeyPatch) -> None:
    """What gets the offsets that were cut off is taken for repeats of what had them."""
    made = repairs.repair
    patch.setattr(repairs, "repair", lambda at, log: replace(made(at, log), cut_off=False))


def an_unknown_commit_ends_the_process(patch: pytest.MonkeyPatch) -> None:
    """Timers whose commit has no answer end the engine."""
    faults = tuple(each for each in servicekit.loop.infrastructure.PARTS_FAULT if each is not OutcomeUnknown)
    patch.setattr(servicekit.loop.infrastructure, "PARTS_FAULT", faults)


def a_replys_time_begins_with_the_message_that_it_answers(patch: pytest.MonkeyPatch) -> None:
    """After an outage of the engine all replies are over before they are written."""
    send = effects._send

    def counted_from_the_message(writer: Any, id: str, effect: Any, content: Any) -> None:
        send(writer, id, replace(effect, expires=clock.after(writer.outputs.now, MESSAGE_LIFE)), content)

    patch.setattr(effects, "_send", counted_from_the_message)


def dead_letters_are_not_cut_to_fit(patch: pytest.MonkeyPatch) -> None:
    """One that Kafka does not take stops its partition."""
    patch.setattr(records, "_cut", lambda letter, kept, reason: letter)


def a_missing_partition_is_the_records_fault(patch: pytest.MonkeyPatch) -> None:
    """Everybody's conversations are held because a table lacks the day."""
    patch.setattr(servicekit.loop.infrastructure, "is_missing_partition", lambda error: False)


def outcomes_are_forgotten_when_the_database_blinks(patch: pytest.MonkeyPatch) -> None:
    """What was sent is sent again when its lease has ended."""
    patch.setattr(Outcomes, "unsaved", Outcomes.saved)


def a_turn_that_is_ready_in_time_costs_patience(patch: pytest.MonkeyPatch) -> None:
    """After some hundreds of them a project's turns are all deferred."""
    waits = Deferring._wait

    async def charged(self: Deferring, making: Any, seconds: float | None) -> None:
        began = asyncio.get_running_loop().time()
        await waits(self, making, seconds)
        if making.task.done():
            self._patience.spend(making.whose.project, asyncio.get_running_loop().time() - began)

    patch.setattr(Deferring, "_wait", charged)


def turns_queue_behind_their_projects_slow_ones(patch: pytest.MonkeyPatch) -> None:
    """While slow turns have all the places of the project, eight here, all its others wait in the store."""
    patch.setattr(deferring, "MOST", 16)
    patch.setattr(deferring, "MOST_AHEAD", 0)


def a_freeze_while_code_runs_is_charged_to_its_project(patch: pytest.MonkeyPatch) -> None:
    """For minutes all programs of the project are refused."""
    patch.setattr(stepping, "LONGEST_RUN", float("inf"))


def a_wake_that_is_old_drops_the_turn_that_its_batch_deferred(patch: pytest.MonkeyPatch) -> None:
    """Nobody wakes its conversation any more."""
    redrive = Redriving.redrive

    async def dropping(self: Redriving, arrived: Any) -> None:
        waits = self._batch.redriven.get(arrived.key)
        if waits is not None and arrived.body.deferred and not waits.deferred:
            self._deferring.drop(arrived.key)
        else:
            await redrive(self, arrived)

    patch.setattr(Redriving, "redrive", dropping)


def a_partition_begins_anew_while_a_batch_of_it_is_in_hand(patch: pytest.MonkeyPatch) -> None:
    """The batch applies a turn that on_assigned has just been told to wait for, and is fenced: nobody wakes its conversation."""

    class NotWaitedFor(asyncio.Event):
        async def wait(self) -> Literal[True]:
            return True

    made = Partition.__init__

    def with_its_own(self: Partition, topic: str, number: int, idle: asyncio.Event | None = None) -> None:
        made(self, topic, number, NotWaitedFor())
        self.idle.set()

    patch.setattr(Partition, "__init__", with_its_own)


def a_timer_that_was_held_is_not_known_when_it_is_released(patch: pytest.MonkeyPatch) -> None:
    """Its wait never ends, or only when it is fired again because it seems to be lost."""
    load = handler.load

    async def knowing_its_own_only(reads: Any, arrived: list[Any], *more: Any) -> Any:
        batch = await load(reads, arrived, *more)
        own = {each.body.timer_id for each in arrived if each.body.kind == "timer"}
        batch.work.timers_found &= own
        return batch

    patch.setattr(handler, "load", knowing_its_own_only)


def every_failure_is_a_records_own(patch: pytest.MonkeyPatch) -> None:
    """A bad release holds every conversation of everybody."""
    patch.setattr(Brake, "may_park", lambda self, record: True)


def a_timer_is_fired_once(patch: pytest.MonkeyPatch) -> None:
    """One whose record is gone never comes."""

    async def nothing(self: Timers) -> None: ...

    patch.setattr(Timers, "fire_lost", nothing)


def a_call_in_the_dead_letters_is_not_answered(patch: pytest.MonkeyPatch) -> None:
    """Its conversation waits for an hour."""
    patch.setattr(dead_calls, "answer", lambda record, why: [])


def a_call_is_waited_for_for_ever(patch: pytest.MonkeyPatch) -> None:
    """One that is gone never ends."""
    wait = Run.wait
    patch.setattr(
        Run, "wait", lambda self, kind, timeout, data: wait(self, kind, None if kind == "call" else timeout, data)
    )


def a_database_is_taken_for_the_newest(patch: pytest.MonkeyPatch) -> None:
    """After a restore everything is done again, without a word."""

    async def unasked(self: DatabaseAge) -> None:
        self.number, _ = await self._read()

    patch.setattr(DatabaseAge, "_compare", unasked)


def kafka_is_told_rarely(patch: pytest.MonkeyPatch) -> None:
    """After a crash more than the last two seconds is done again, although an operator said that nothing is to be."""
    patch.setattr(upkeep, "COMMIT_SECONDS", 10.0)


def who_ends_tells_kafka_nothing(patch: pytest.MonkeyPatch) -> None:
    """What was sent in the last seconds before an orderly stop is sent again after a restore."""
    commit = upkeep.Upkeep.commit

    async def telling(self: upkeep.Upkeep) -> None:
        if (task := asyncio.current_task()) is None or task.get_name().startswith("look after"):
            await commit(self)

    patch.setattr(upkeep.Upkeep, "commit", telling)


def another_leader_is_not_noticed(patch: pytest.MonkeyPatch) -> None:
    """What follows a log that has lost its end is applied as if nothing were missing."""
    patch.setattr(Partition, "_is_of_other_leader", lambda self, record: False)
    patch.setattr(Partition, "led", lambda self, leader_epoch: None)


def a_new_partition_is_begun(patch: pytest.MonkeyPatch) -> None:
    """Before what is in the others of its topic."""

    async def none(connection: Any, topic: str, partitions: int) -> None: ...

    patch.setattr(Statements, "other_count", staticmethod(none))


def a_batch_that_takes_too_long_is_tried_whole(patch: pytest.MonkeyPatch) -> None:
    """It fails for ever."""
    patch.setattr(BatchSize, "failed", lambda self, records, error: None)


def what_follows_is_sent_whatever_came_of_the_one_before(patch: pytest.MonkeyPatch) -> None:
    """What an ordered endpoint refused reaches it after what stands behind it."""
    record = Destinations._record

    def going_on(self: Destinations, destination: Destination, result: Result) -> None:
        outcome, result.outcome = result.outcome, "succeeded"
        told: list[Result] = []
        with patch.context() as inner:
            inner.setattr(self, "_recorded", told.append)
            record(self, destination, result)
        result.outcome = outcome
        self._recorded(result)

    patch.setattr(Destinations, "_record", going_on)


def a_line_of_an_import_is_not_remembered(patch: pytest.MonkeyPatch) -> None:
    """Who sends a file again makes its people twice."""
    apply = importing.Applying.apply

    def forgetting(self: importing.Applying, line: importing.Line) -> Any:
        self._work.digests.pop(line.told.event_id, None)
        return apply(self, line)

    patch.setattr(importing.Applying, "apply", forgetting)


@pytest.mark.seconds(60)
@pytest.mark.parametrize(
    ("loss", "profile", "known"),
    [
        (marks_know_no_incarnation, Profile(log="made anew"), 2),
        (a_log_that_was_cut_off_keeps_its_incarnation, Profile(log="cut off"), 2),
        (an_unknown_commit_ends_the_process, Profile(unknown=0.1), 2),
        (a_replys_time_begins_with_the_message_that_it_answers, Profile(blows=3), 6),
        (dead_letters_are_not_cut_to_fit, Profile(poison=True), 2),
        (a_missing_partition_is_the_records_fault, Profile(blows=3), 3),
        (outcomes_are_forgotten_when_the_database_blinks, BLINKS, 21),
        (what_follows_is_sent_whatever_came_of_the_one_before, Profile(bad_receivers=True), 37),
        (a_turn_that_is_ready_in_time_costs_patience, BESIDE_SLOW_ONES, 0),
        (turns_queue_behind_their_projects_slow_ones, BESIDE_SLOW_ONES, 1),
        (a_freeze_while_code_runs_is_charged_to_its_project, Profile(freeze=0.006, seconds=12.0, **PROGRAMS), 4),
        (a_wake_that_is_old_drops_the_turn_that_its_batch_deferred, TURNS_WITHOUT_ANSWER, 51),
        (a_partition_begins_anew_while_a_batch_of_it_is_in_hand, SHAKEN, 0),
        (a_timer_that_was_held_is_not_known_when_it_is_released, BAD_RELEASE, 4),
        (every_failure_is_a_records_own, BAD_RELEASE, 0),
        (a_timer_is_fired_once, Profile(gone=0.2), 2),
        (a_call_in_the_dead_letters_is_not_answered, Profile(garbled=0.3), 0),
        (a_call_is_waited_for_for_ever, Profile(gone=0.2), 0),
        (a_database_is_taken_for_the_newest, Profile(restored=("dispatcher", "again")), 0),
        (a_database_is_taken_for_the_newest, Profile(restored=("flow-engine", "again")), 0),
        (kafka_is_told_rarely, SKIP, 0),
        (who_ends_tells_kafka_nothing, SKIP, 33),
        (another_leader_is_not_noticed, Profile(log="cut off and written on"), 0),
        (a_new_partition_is_begun, Profile(log="grown"), 0),
        (a_line_of_an_import_is_not_remembered, Profile(files=1), 0),
        (a_batch_that_takes_too_long_is_tried_whole, Profile(slow_saves=2, blows=2), 2),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_it_is_found_again(
    loss: Callable[[pytest.MonkeyPatch], None], profile: Profile, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a seed that is known to find it, or else, after a change of what happens under it, by another one."""
    loss(monkeypatch)
    assert any(simulate(seed, profile=profile).wrong for seed in (known, *range(SEEDS)))
