"""The registry as a service sees it: its topic read from the start, kept current, and known to be whole (guarantees.md 7)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from contracts import registry
from contracts.registry import EntityKind
from servicekit.kafka.assigned_reader import AssignedReader
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record
from servicekit.observability.metrics import gauge
from servicekit.registry_view.index import RegistryIndex, Value
from servicekit.registry_view.stamps import Stamp

CURRENT_SECONDS = 0.5
RED_AFTER = 10.0
"""Seconds behind the topic's end until the service is not ready."""

OBSERVE_SECONDS = 5.0
OnChange = Callable[[str, str, Any], None]

log = structlog.get_logger()


class RegistryView:
    """Look-ups in memory. Until `ready`, an entity that is not found is unknown, not absent.

    A topic that was recreated, or that has left this reader behind, is read anew into a second index, which takes the
    first one's place once it is whole. `without`: kinds of entities that the service has no use for, and does not keep.
    """

    def __init__(
        self, cluster: Cluster, *, client_id: str = "registry-view", without: Collection[EntityKind] = ()
    ) -> None:
        self._without = without
        self._index = RegistryIndex(without)
        self._filling: RegistryIndex = self._index
        """What is being read into: another one than `_index` while the topic is read anew."""
        self._reader = AssignedReader(
            cluster,
            registry.TOPIC.name,
            client_id=client_id,
            begin="start",
            receive=self._receive,
            restart=self._restart,
            moved=self._moved,
            trusted_seconds=registry.VIEW_TRUSTED_SECONDS,
        )
        self._whole = asyncio.Event()
        self._listeners: list[OnChange] = []
        self._gone: set[str | None] = set()
        """Ids of the topic that stamps named and that it has no more."""
        self._asked: asyncio.Future[bool] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to read, in the background and for ever."""
        self._tasks = [
            asyncio.create_task(self._reader.run(), name="registry view"),
            asyncio.create_task(self._observe(), name="registry view metrics"),
        ]

    async def stop(self) -> None:
        """Stop reading."""
        tasks = [*self._tasks, *([self._catching_up] if self._catching_up else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def ready(self) -> bool:
        """Whether the view has been whole: the end read, a snapshot seen, its counts reached."""
        return self._whole.is_set()

    async def wait_ready(self) -> None:
        """Return once the view has been whole."""
        await self._whole.wait()

    @property
    def offset(self) -> int:
        """The topic's records up to and with this offset are in the view; -1: none, or it is being read anew."""
        position = self._reader.position
        return -1 if position is None or self._filling is not self._index else position - 1

    @property
    def stack_id(self) -> str | None:
        """Which installation's registry this is; None while no snapshot was read, or one that names none."""
        snapshot = self._index.snapshot
        return snapshot.stack_id if snapshot is not None else None

    @property
    def generation(self) -> int:
        """How often the registry's database was restored, and one; 0 while no snapshot was read."""
        snapshot = self._index.snapshot
        return snapshot.generation if snapshot is not None else 0

    @property
    def behind_seconds(self) -> float:
        """For how long the view has not had all of its topic."""
        since = self._reader.behind_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def healthy(self) -> bool:
        """Whether a service that needs the registry can do its work."""
        return self.problem() is None

    def problem(self) -> str | None:
        """Why a service that needs the registry is not ready, None when it is."""
        if not self.ready:
            return self._reader.missing() or "the registry's topic has not been read to its end yet, or has no snapshot"
        if self._filling is not self._index:
            return "the registry's topic was recreated, or not reached for too long, and is being read anew"
        if self._reader.cut_off:
            return f"the registry's topic was not reached for {registry.VIEW_TRUSTED_SECONDS / 3600:.0f} h: what was deleted since is not known"
        if self.behind_seconds > RED_AFTER:
            return f"the view of the registry is {self.behind_seconds:.0f} s behind its topic"
        return None

    def get(self, kind: str, id: str) -> Any:
        """The entity as its model of contracts.registry, None when it is not known."""
        return self._index.get(kind, id)

    def data(self, kind: str, id: str) -> bytes | None:
        """The entity's JSON, None when it is not known."""
        return self._index.data(kind, id)

    def find(self, kind: str, index: str, value: Value) -> Any:
        """The (first) entity under that value of an index (registry_index.INDEXES), None when there is none."""
        return next(self._index.find(kind, index, value), None)

    def find_all(self, kind: str, index: str, value: Value) -> list[Any]:
        """All entities under that value of an index."""
        return list(self._index.find(kind, index, value))

    def all(self, kind: str, project_id: str) -> list[Any]:
        """The project's entities of that kind."""
        return list(self._index.all(kind, project_id))

    def ids(self, kind: str) -> list[str]:
        """Of the living entities of that kind."""
        return self._index.ids(kind)

    def deleted(self, kind: str, id: str) -> bool:
        """Whether a delete of it was seen. What is merely unknown is not deleted (guarantees.md 7.2)."""
        return self._index.deleted(kind, id)

    def on_change(self, listener: OnChange) -> None:
        """Call `listener(kind, id, model or None)` at each change from now on."""
        self._listeners.append(listener)

    @property
    def stamp(self) -> Stamp:
        """How far the view has read, for the records that are written by what it says."""
        return Stamp(self.offset, self._reader.incarnation)

    async def knows(self, stamps: Iterable[Stamp], timeout: float) -> bool:
        """Wait until the view has what the writers of these stamps had read (guarantees.md 7.3); False when that took too
        long. Nothing is waited for that the topic does not hold: a stamp of a topic that is gone, or beyond the end."""
        ahead = [stamp for stamp in stamps if not self._has(stamp)]
        return not ahead or await self._reach(ahead, timeout)

    def _has(self, stamp: Stamp) -> bool:
        if stamp.incarnation in self._gone:
            return True
        return stamp.offset <= self.offset and stamp.incarnation in (None, self._reader.incarnation)

    async def _reach(self, ahead: list[Stamp], timeout: float) -> bool:
        try:
            end, present = await self._reader.now(timeout)
        except (KafkaError, OSError):
            return False
        if present is not None and present != self._reader.incarnation:
            return False  # The reader finds that out, too, and begins anew.
        if present is not None:
            self._gone |= {each.incarnation for each in ahead} - {None, present}
        wanted = max((each.offset for each in ahead if each.incarnation not in self._gone), default=-1)
        return await self._reader.reached(min(wanted + 1, end), timeout) and self._filling is self._index

    async def current(self) -> bool:
        """Wait until the view has all that its topic held at the call, at most 500 ms; False when it does not.

        Calls share their look at the topic; one that comes during a look waits for the next.
        """
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
        asked = self._asked
        if self._catching_up is None or self._catching_up.done():
            self._catching_up = asyncio.create_task(self._catch_up(), name="registry view catches up")
        return await asyncio.shield(asked)

    async def _catch_up(self) -> None:
        while self._asked is not None:
            asked, self._asked = self._asked, None
            deadline = time.monotonic() + CURRENT_SECONDS
            try:
                end = await self._reader.end(CURRENT_SECONDS)
                asked.set_result(await self._reader.reached(end, max(0.0, deadline - time.monotonic())))
            except (KafkaError, OSError):
                asked.set_result(False)
            except asyncio.CancelledError:
                asked.set_result(False)
                raise

    def _receive(self, records: list[Record]) -> None:
        live = self._filling is self._index
        for record in records:
            refused, change = self._filling.refused_tokens, self._filling.apply(record)
            if live and self._listeners:
                if change is not None:
                    self._notify(*change[:2])
                for id in refused ^ self._filling.refused_tokens:
                    self._notify("token", id)

    def _restart(self) -> None:
        self._filling = RegistryIndex(self._without) if self.ready else self._index

    def _moved(self) -> None:
        """Take the filled index into use once it is whole."""
        whole = self.ready and self._filling is self._index
        if whole or self._reader.behind_since is not None or not self._filling.complete:
            return
        if self._filling is not self._index:
            before, self._index = self._index, self._filling
            log.info("registry_view.replaced", entities=self._index.counts().total())
            for kind, id in before.differences(self._index):
                self._notify(kind, id)
        if not self.ready:
            log.info("registry_view.ready", entities=self._index.counts().total(), offset=self.offset)
            self._whole.set()

    def _notify(self, kind: str, id: str) -> None:
        model = self._index.get(kind, id)
        for listener in self._listeners:
            try:
                listener(kind, id, model)
            except Exception:
                log.exception("registry_view.listener_failed", kind=kind, id=id)

    async def _observe(self) -> None:
        while True:
            await asyncio.sleep(OBSERVE_SECONDS)
            gauge("switchhook_registry_view_behind_seconds").set(self.behind_seconds)
            for kind, count in self._index.counts().items():
                gauge("switchhook_registry_view_entities").labels(kind).set(count)
