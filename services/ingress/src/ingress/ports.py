"""What ingress needs of servicekit, narrowly: tests put small fakes in their places."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from contracts.inbound import ReplyTo
from servicekit.kafka.records import Outgoing
from servicekit.registry_view.stamps import Stamp


class Publishing(Protocol):
    """Writes to Kafka. Both raise NotAcknowledged when it is not known that Kafka has the record."""

    async def publish(self, record: Outgoing) -> int:
        """The record's offset, once Kafka has it."""

    async def publish_many(self, records: list[Outgoing]) -> None:
        """All of them, in order within a partition."""


class View(Protocol):
    """The registry as of now, in memory."""

    @property
    def ready(self) -> bool:
        """Whether it has been whole: until then what is not found is unknown."""

    @property
    def stamp(self) -> Stamp:
        """How far the view has read."""
        ...

    def get(self, kind: str, id: str) -> Any:
        """The entity as its model, None when it is not known."""

    def find(self, kind: str, index: str, value: str) -> Any:
        """The first entity under that value of an index, None when there is none."""

    def all(self, kind: str, project_id: str) -> Sequence[Any]:
        """The project's entities of that kind."""
        ...

    def deleted(self, kind: str, id: str) -> bool:
        """Whether a delete of it was seen."""
        ...

    def on_change(self, listener: Callable[[str, str, Any], None]) -> None:
        """Call `listener(kind, id, model or None)` at each change."""

    async def current(self) -> bool:
        """Catch up with the topic; False when that was not possible in time."""


class Asking(Protocol):
    """Waits for replies on this instance's partition."""

    instance: str

    @property
    def ready(self) -> bool:
        """Whether a reply to what is asked from now on will be seen."""

    @property
    def instances(self) -> int:
        """How many instances live, this one included."""

    def ask(self, until: Literal["verdict", "rest"] = "rest") -> tuple[ReplyTo, Future[Any]]:
        """An address for one reply, and the reply to come."""
