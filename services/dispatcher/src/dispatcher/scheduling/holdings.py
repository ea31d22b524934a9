"""Which partitions' lanes are this process's, and whether it can still be sure of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol
from uuid import UUID

from dispatcher.model.delivery import Delivery
from dispatcher.scheduling.pulse import Pulse
from dispatcher.store.port import Session
from servicekit.boot_clock import boot_seconds


class OnTheWire(Protocol):
    """What is being sent, and what waits to be (`Destinations`)."""

    @property
    def on_the_wire(self) -> Mapping[UUID, Delivery]:
        """What is being sent now."""
        ...

    def drop(self, mine: Callable[[Delivery], bool]) -> None:
        """Forget waiting deliveries of which `mine` says so."""


class Holdings:
    """A source is `<actions or events>/<partition>`. `unsaved()`: deliveries whose attempt is over and not recorded yet."""

    def __init__(self, pulse: Pulse, lease_seconds: float, unsaved: Callable[[], Iterable[Delivery]]) -> None:
        self.sources: set[str] = set()
        self._taken_at: dict[str, float] = {}
        self._pulse, self._lease_seconds, self._unsaved = pulse, lease_seconds, unsaved

    async def take(self, sources: Iterable[str], destinations: OnTheWire, session: Session) -> set[str]:
        """They are ours: what a predecessor leased is due at once, but what we are sending ourselves goes on, and so does
        what we have sent: its outcome may wait for the database, and its lease is what it is saved under.

        Twice: a head whose outcome was being saved during the first look is passed over there, and its next one is still
        blocked. Gives the lanes whose heads have to be looked after (Outcomes.look_after): what we are sending may end before
        these sources are ours again, and then nobody leases the next.
        """
        taken, going_on = set(sources), set[str]()
        for _ in range(2):
            in_hand = [*destinations.on_the_wire.values(), *self._unsaved()]
            going_on |= {each.lane for each in in_hand if each.lane and each.source in taken}
            await session.take_lanes(taken, [each.key for each in in_hand])
        self.sources |= taken
        self._taken_at |= dict.fromkeys(taken, boot_seconds())
        return going_on

    def leave(self, sources: Iterable[str], destinations: OnTheWire) -> None:
        """They are another's, or about to be taken anew."""
        left = set(sources)
        self.sources -= left
        destinations.drop(lambda delivery: delivery.lane is not None and delivery.source in left)

    def holds(self, source: str) -> bool:
        """Whether the lanes of that source are ours."""
        return source in self.sources

    def still_ours(self, delivery: Delivery) -> bool:
        """Whether a row of a lane may be sent now."""
        leased_at = delivery.lease_ends - self._lease_seconds
        if delivery.source not in self.sources or leased_at < self._taken_at[delivery.source]:
            return False
        return self._pulse.unbroken_since(leased_at)
