"""Which faults there are, in the order in which a run without `--fault` does them.

A new one is a row here, with what it does in a module of its own beside strikes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bench.chaos import one_at_a_time, restoring, strikes
from bench.chaos.rounds import WIDE_PAUSE_SECONDS, Fault
from contracts import actions, closed_sessions, commands, dlq, events, findings, inbound, registry, replies
from devstack.errors import StackError

STORM = "storm"
"""Crashes, freezes and outages at saturation (attack.py): the only one that has `--seconds` and `--seed`."""
POSTGRES_SECONDS, FROZEN_SECONDS, ENGINE_SECONDS = 60.0, 70.0, 420.0
LONG_PAUSE_SECONDS = 6.0
QUICK_PAUSE_SECONDS = 0.3
"""A backup is made under load."""
DLQS = tuple(dlq.topic_for(service).name for service in dlq.SERVICES)
LOGS = (commands, inbound, actions, events, findings, replies, registry, closed_sessions)


wide = partial(Fault, pause=WIDE_PAUSE_SECONDS, tells_messages=True, wide=True)


def schedule(engine_seconds: float = ENGINE_SECONDS) -> dict[str, Fault]:
    """Name -> round, all but the storm."""
    anew = {f"anew-{module.__name__.rpartition('.')[2]}": (module.TOPIC.name,) for module in LOGS} | {"anew-dlq": DLQS}
    disks = {
        "disk-postgres": partial(
            strikes.disks_full, which=lambda disks: [disks.postgres], words=("PostgreSQL", "full")
        ),
        "disk-kafka": partial(strikes.disks_full, which=lambda disks: [disks.kafka], words=("kafka",)),
        "disk-logs": partial(strikes.disks_full, which=lambda disks: [disks.rest], words=()),
        "disk-all": partial(strikes.disks_full, which=list, words=("kafka",)),
    }
    return {
        "poison": Fault(strikes.poison),
        **{
            name: Fault(partial(strikes.made_anew, topics=topics), tells_messages=events.TOPIC.name in topics)
            for name, topics in anew.items()
        },
        **{name: Fault(strike, needs_disks=True) for name, strike in disks.items()},
        "restore-skip": Fault(partial(restoring.database_restored, dispatcher="skip"), QUICK_PAUSE_SECONDS),
        "restore-again": Fault(partial(restoring.database_restored, dispatcher="again"), QUICK_PAUSE_SECONDS),
        "restore-engine": Fault(restoring.engine_restored, QUICK_PAUSE_SECONDS),
        "kafka-older": Fault(restoring.kafka_restored, tells_messages=True),
        "kafka-empty": Fault(restoring.kafka_emptied, tells_messages=True),
        "away-postgres": Fault(partial(strikes.postgres_away, seconds=POSTGRES_SECONDS)),
        "frozen-postgres": Fault(partial(strikes.postgres_frozen, seconds=FROZEN_SECONDS)),
        "killed-brokers": wide(one_at_a_time.brokers_killed),
        "killed-replicas": wide(one_at_a_time.replicas_killed),
        "restarted": wide(one_at_a_time.restarted, orderly=True),
        "away-engine": Fault(partial(strikes.engine_away, seconds=engine_seconds), LONG_PAUSE_SECONDS),
    }


def chosen(wanted: Sequence[str]) -> list[str]:
    """Names of the faults that are wanted, in order; `anew` means all that begin with `anew-`. All without any.

    StackError for what is no fault.
    """
    known = [STORM, *schedule()]
    for name in wanted:
        if not any(_means(name, each) for each in known):
            raise StackError(f"There is no fault {name}: choose of {', '.join(known)}.")
    return [each for each in known if not wanted or any(_means(name, each) for name in wanted)]


def _means(wanted: str, name: str) -> bool:
    return name == wanted or name.startswith(f"{wanted}-")
