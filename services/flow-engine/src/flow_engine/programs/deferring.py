"""Turns that take long are made apart from the batch that came to them, so that the batch need not wait.

A turn that is not made within a few milliseconds is *deferred*: its event waits in the store, and what follows in its
conversation behind it (flow_engine.batch). The making goes on here. When the turn is there, or when there is room to begin
one that waits, its conversation is to be *woken*: the event comes to a batch once more, which takes the turn or begins it.

All that is kept here may be lost: the turn is a pure function of what is stored, and whoever holds the partition next makes
it again. A turn is taken only where the conversation, the person and the event are what it was made of.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Protocol

from flow_engine.catalogue.port import Catalogue
from flow_engine.programs.stepping import Event, Stepping, TooMuchCode
from flow_engine.state.rows import TurnOf
from flowlang.model import Turn
from servicekit.loop.batches import Infrastructure
from servicekit.observability.metrics import counter
from servicekit.shares import Shares
from servicekit.workers.allowances import Allowances
from servicekit.workers.pool import Ended

PATIENCE = 0.01
"""Seconds that a batch waits for a turn: ordinary code nodes and filters take less."""
MOST_PATIENCE, PATIENCE_RATE = 0.5, 0.1
"""Seconds that all batches together wait in vain for a project's turns at once, and more of it each second."""
MOST = 64
"""Turns that have a place: they are in the making, made and not yet taken, or woken in order to begin. Far more than run at a time,
since each waits twice until the records before its own are applied, which takes seconds where a partition is behind."""
MOST_AHEAD = 64
"""Turns in the making without a place, since batches had patience for them."""
MOST_TRIES = 3
"""Times that a turn is begun apart before it is made in its batch: each time something it was made of had changed."""
MOST_TRIED = 10_000
TOO_MUCH_WAITS = "too many bytes of this project's events wait for turns that take long"


class Deferred(Exception):
    """The turn is not there yet: its event has to wait."""


class MakesTurns(Protocol):
    """What turns need of Deferring."""

    async def turn(self, event: Event, whose: TurnOf, catalogue: Catalogue, *, here: bool = False) -> Turn:
        """The event's finished turn; `here`: however long it takes. Raises Deferred, and what Stepping.turn raises."""
        ...


class _Making:
    """A turn in the making, or made and not yet taken."""

    __slots__ = ("event", "task", "whose")

    def __init__(self, event: Event, whose: TurnOf, task: asyncio.Task[Turn]) -> None:
        self.event, self.whose, self.task = event, whose, task

    def is_of(self, event: Event) -> bool:
        mine = self.event
        return (mine.happening, mine.conversation, mine.contact) == (event.happening, event.conversation, event.contact)


class Deferring:
    """One per process."""

    def __init__(self, stepping: Stepping, *, patience: float = PATIENCE) -> None:
        self._stepping, self._patience_of_one = stepping, patience
        self._patience = Allowances(free=0.0, most=MOST_PATIENCE, rate=PATIENCE_RATE)
        self._places = Shares(MOST)
        self._making: dict[str, _Making] = {}
        self._ahead: set[str] = set()
        """Keys of those in the making that have no place: places are for those who wait, whoever else begins meanwhile."""
        self._called: dict[str, TurnOf] = {}
        """Woken in order to begin: there is room for them."""
        self._waits: dict[str, TurnOf] = {}
        """Those for which there is no room."""
        self._waiting: OrderedDict[str, dict[str, None]] = OrderedDict()
        """Their keys by project, the next project first."""
        self._to_wake: dict[str, TurnOf] = {}
        self._wanted = asyncio.Event()
        self._tries: OrderedDict[str, int] = OrderedDict()
        """By event id: how often its turn was begun apart in vain."""
        self._deferred = counter("switchhook_turns_deferred_total")
        self._refused: frozenset[str] = frozenset()

    async def turn(self, event: Event, whose: TurnOf, catalogue: Catalogue, *, here: bool = False) -> Turn:
        """See MakesTurns."""
        making = self._making.get(whose.key)
        if whose.project in self._refused and (making is None or not making.task.done()):
            self.drop(whose.key)
            return self._stepping.at_once(event) or await self._stepping.refused(event, TOO_MUCH_WAITS)
        if making is not None and not making.is_of(event):
            if making.event.happening.id == event.happening.id:
                self._in_vain(event, 1)
            self.drop(whose.key)
            making = None
        if making is None:
            turn = self._stepping.at_once(event)
            if turn is not None or here or self._tries.get(event.happening.id, 0) >= MOST_TRIES:
                if self._called or self._waits:
                    self.drop(whose.key)
                return turn or await self._stepping.turn(event, catalogue)
            making = self._begun(event, whose, catalogue)
        await self._wait(making, None if here else self._patience_of_one)
        if not making.task.done() or making.task.cancelled():  # Cancelled: the partition has gone meanwhile.
            self._deferred.inc()
            raise Deferred
        return self._taken(making)

    def refuse(self, projects: frozenset[str]) -> None:
        """Of these too much waits already: their turns are made at once, without what is not cheap by its form."""
        self._refused = projects

    def _begun(self, event: Event, whose: TurnOf, catalogue: Catalogue) -> _Making:
        called = self._called.pop(whose.key, None)
        if called is None and not self._may_begin(whose):
            self._let_wait(whose)
            self._deferred.inc()
            raise Deferred
        whose = called or whose
        self._remove_waiting(whose.key)
        task = asyncio.create_task(self._stepping.turn(event, catalogue), name=f"turn of {whose.key}")
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # One that is dropped is nobody's.
        making = self._making[whose.key] = _Making(event, whose, task)
        return making

    async def _wait(self, making: _Making, seconds: float | None) -> None:
        project, now = making.whose.project, asyncio.get_running_loop().time
        if making.task.done():
            return
        if seconds is None or self._patience.has(project):
            began = now()
            await asyncio.wait([making.task], timeout=seconds)
            if not making.task.done():  # One that is ready in time is as others are, and costs no patience.
                # A process that was frozen meanwhile has waited for it no longer than it meant to.
                self._patience.spend(project, min(now() - began, seconds or 0.0))
        if not making.task.done():
            making.task.add_done_callback(lambda _: self._wake(making))

    def _taken(self, making: _Making) -> Turn:
        self._leave(making.whose.key)
        id = making.event.happening.id
        try:
            turn = making.task.result()
        except (TooMuchCode, Ended, Infrastructure):
            raise
        except Exception:
            self._in_vain(making.event, MOST_TRIES)
            raise
        self._tries.pop(id, None)
        return turn

    def _in_vain(self, event: Event, times: int) -> None:
        id = event.happening.id
        self._tries[id] = self._tries.get(id, 0) + times
        if len(self._tries) > MOST_TRIED:
            self._tries.popitem(last=False)

    # --- who is woken

    async def to_wake(self) -> list[TurnOf]:
        """Conversations to be woken, as soon as there are any; each is told once."""
        while not self._to_wake:
            self._wanted.clear()
            await self._wanted.wait()
        turns, self._to_wake = list(self._to_wake.values()), {}
        return turns

    def wake(self, whose: TurnOf) -> None:
        """Have it woken (again)."""
        self._to_wake[whose.key] = whose
        self._wanted.set()

    def let_wait(self, turns: list[TurnOf]) -> None:
        """Deferred by another process, or by this one before it lost the partition."""
        for whose in turns:
            self._let_wait(whose)
        self._fill()

    def drop(self, key: str) -> None:
        """The conversation waits for nothing here."""
        self._remove_waiting(key)
        if key in self._making or key in self._called:
            self._leave(key)

    def forget(self, parts: set[int]) -> None:
        """These partitions are not this process's, or begin anew."""
        making = [making.whose for making in self._making.values()]
        for whose in [*self._waits.values(), *self._called.values(), *making]:
            if whose.part in parts:
                self.drop(whose.key)

    async def close(self) -> None:
        """Give up what is in the making."""
        tasks = [making.task for making in self._making.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is deferred, as far as is known here."""
        return not (self._making or self._called or self._waiting or self._to_wake)

    def _wake(self, making: _Making) -> None:
        if self._making.get(making.whose.key) is making:
            self.wake(making.whose)

    def _leave(self, key: str) -> None:
        self._to_wake.pop(key, None)
        whose, making = self._called.pop(key, None), self._making.pop(key, None)
        if making is not None:
            making.task.cancel()
            whose = making.whose
        if key in self._ahead:
            self._ahead.remove(key)
        elif whose is not None:
            self._places.give(whose.project)
        self._fill()

    def _fill(self) -> None:
        """Wake those for which there is room, one project after the other."""
        while (project := next(filter(self._places.may_take, self._waiting), None)) is not None:
            key = next(iter(self._waiting[project]))
            self._places.take(project)
            self._called[key] = self._waits[key]
            self._remove_waiting(key)
            if project in self._waiting:
                self._waiting.move_to_end(project)
            self.wake(self._called[key])

    def _let_wait(self, whose: TurnOf) -> None:
        if whose.key not in self._waits:
            self._waits[whose.key] = whose
            self._waiting.setdefault(whose.project, {})[whose.key] = None

    def _remove_waiting(self, key: str) -> None:
        whose = self._waits.pop(key, None)
        if whose is not None:
            keys = self._waiting[whose.project]
            del keys[key]
            if not keys:
                del self._waiting[whose.project]

    def _may_begin(self, whose: TurnOf) -> bool:
        """Also where others of the project wait: as long as batches have patience, what is ready in time need not queue."""
        project = whose.project
        if project not in self._waiting and self._places.may_take(project):
            self._places.take(project)
            return True
        if self._patience.has(project) and len(self._ahead) < MOST_AHEAD:
            self._ahead.add(whose.key)
            return True
        return False
