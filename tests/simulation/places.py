"""Every place where the code takes time, chance, or a client of a server; in a simulation each gives the simulated one.

`test_places.py` fails when the code has one that is not here.
"""

from __future__ import annotations

import contextlib
import datetime as real
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog

import dispatcher.intake.actions_handler
import dispatcher.intake.decoding
import dispatcher.results.recorder
import dispatcher.scheduling.destinations
import dispatcher.sending.sender
import dispatcher.store.rows
import flow_engine.batch.broadcasting
import flow_engine.segments.members
import servicekit.checkpoints.transactions
import servicekit.kafka.refused_writes
import servicekit.loop.outlet
import servicekit.loop.own_transactions
import servicekit.loop.partition_loop
import servicekit.outages
from channels.discovery import installed
from dispatcher.model import catalogue
from flow_engine.catalogue import registry_catalogue
from flow_engine.store import broadcast_walk
from flow_engine.turn import failure_log
from servicekit import failpoints
from servicekit.checkpoints import age, fence, outbox
from servicekit.kafka import committed, group_reader, one_name, publisher
from servicekit.kafka.refused_writes import RefusedWrites
from simulation.virtual_loop import MACHINE, VirtualLoop
from simulation.walks import ALONE as WALKS

CLOCKS = (
    dispatcher.intake.actions_handler,
    dispatcher.intake.decoding,
    dispatcher.scheduling.destinations,
    dispatcher.sending.sender,
    dispatcher.store.rows,
    flow_engine.segments.members,
    servicekit.kafka.refused_writes,
    servicekit.outages,
)
"""Modules that ask `datetime.now`; time.time, time.monotonic and their like are replaced for all."""
POINTS = (
    flow_engine.batch.broadcasting,
    servicekit.loop.partition_loop,
    servicekit.loop.outlet,
    servicekit.loop.own_transactions,
    servicekit.checkpoints.transactions,
    dispatcher.results.recorder,
    dispatcher.sending.sender,
)
"""Modules with failpoints: there a machine may be killed or frozen, as it may wherever it waits."""
CONNECTORS = installed()
"""Looked for once: it takes longer than all else that a process does when it starts."""
NOON = 1_772_366_400.0
"""2026-03-01T12:00:00Z, in seconds: when every run begins."""


def wall_clock(loop: VirtualLoop) -> float:
    """Seconds since 1970 as the machine that asks knows them."""
    machine = MACHINE.get()
    return NOON + loop.time() + (machine.clock if machine else 0.0)


class _IsDatetime(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, real.datetime)


def _datetime_of(loop: VirtualLoop) -> type:
    class Datetime(real.datetime, metaclass=_IsDatetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Any:
            return real.datetime.fromtimestamp(wall_clock(loop), tz)

    return Datetime


@contextlib.contextmanager
def simulated(loop: VirtualLoop, chance: random.Random, clients: Any, broken: str) -> Iterator[None]:
    """`clients` has the stand-ins: make_consumer, make_producer, send_queue, close_consumer, checkpoints, walks and failpoint.
    `broken`: a protection to leave out, or ''."""
    with contextlib.ExitStack() as undo:
        for owner, name, stand_in in (*_time(loop), *_clients(loop, clients)):
            undo.enter_context(_in_place_of(owner, name, stand_in))
        undo.enter_context(_in_place_of(os, "urandom", chance.randbytes))
        undo.enter_context(_seeded(chance.getrandbits(64)))
        undo.enter_context(_silent())
        undo.enter_context(_broken(broken))
        yield


def _time(loop: VirtualLoop) -> Iterator[tuple[Any, str, Any]]:
    yield time, "monotonic", loop.time
    yield time, "perf_counter", loop.time
    yield time, "clock_gettime", lambda clock: loop.time()
    yield time, "time", lambda: wall_clock(loop)
    yield time, "time_ns", lambda: int(wall_clock(loop) * 1_000_000_000)
    for module in CLOCKS:
        yield module, "datetime", _datetime_of(loop)


def _clients(loop: VirtualLoop, clients: Any) -> Iterator[tuple[Any, str, Any]]:
    yield group_reader, "make_consumer", clients.make_consumer
    yield group_reader, "consumers", clients
    yield one_name, "consumers", clients
    yield publisher, "make_producer", clients.make_producer
    yield committed, "read_committed", clients.read_committed
    yield publisher, "SendQueue", clients.send_queue
    for module, names in (
        (fence, ("bump", "create", "other_count", "advance", "lock")),
        (outbox, ("add", "unsent", "delete")),
        (age, ("standing",)),
    ):
        for name in names:
            yield module, name, getattr(clients.checkpoints, name)
    for name in (*WALKS, "advance", "note"):
        yield broadcast_walk, name, getattr(clients.walks, name)
    for module in POINTS:
        yield module, "failpoint", clients.failpoint
    for module in (registry_catalogue, catalogue):
        yield module, "installed", lambda: CONNECTORS
    yield publisher, "REFUSED", RefusedWrites()
    yield failure_log, "_known", {}
    yield failure_log, "_missing", set()


@contextlib.contextmanager
def _in_place_of(owner: Any, name: str, stand_in: Any) -> Iterator[None]:
    kept = getattr(owner, name)
    setattr(owner, name, stand_in)
    try:
        yield
    finally:
        setattr(owner, name, kept)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The generator that all share, for jitter."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What the services log is not written; the trace says what happened."""
    kept = structlog.get_config()
    if not os.environ.get("SIMULATION_LOG"):
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**kept)


@contextlib.contextmanager
def _broken(protection: str) -> Iterator[None]:
    names = {failpoints.BROKEN: protection, failpoints.CHAOS: "1"} if protection else {}
    kept = {name: os.environ.get(name) for name in (failpoints.BROKEN, failpoints.CHAOS)}
    os.environ.update(names)
    failpoints.broken.cache_clear()
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        failpoints.broken.cache_clear()


Failpoint = Callable[[str], Any]
