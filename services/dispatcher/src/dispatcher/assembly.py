"""Everything that works on deliveries, put together in the order in which data needs it; nothing is tied afterwards."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from dispatcher.intake.takeover import Takeover
from dispatcher.kinds.table import Kinds, limits_in
from dispatcher.model.delivery import SendContext
from dispatcher.model.superseded import Superseded
from dispatcher.results.outcomes import Outcomes
from dispatcher.results.recorder import AT_ONCE, Publisher, Recorder
from dispatcher.scheduling.claims import Claims
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from dispatcher.sending.programs import Programs
from dispatcher.sending.sender import Sender
from dispatcher.settings import Settings
from dispatcher.store.port import DeliveryStore
from servicekit.http_client.guarded_http import GuardedClient


class Works(NamedTuple):
    """`pulse`, `recorder` and `claims` have to be run; `takeover` is what the handlers share."""

    pulse: Pulse
    destinations: Destinations
    recorder: Recorder
    claims: Claims
    takeover: Takeover


def assemble(
    settings: Settings,
    kinds: Kinds,
    context: SendContext,
    programs: Programs,
    due: asyncio.Event,
    store: DeliveryStore,
    publisher: Publisher,
    http: GuardedClient,
) -> Works:
    """`due` is set when something may have become due."""
    lease = settings.lease_seconds
    outcomes = Outcomes(AT_ONCE)
    pulse = Pulse(settings.session_timeout_seconds / 2)
    superseded = Superseded()
    holdings = Holdings(pulse, lease, outcomes.deliveries)
    sender = Sender(http, context, programs, holdings.still_ours, superseded)
    limits = limits_in(kinds, context.catalogue)
    destinations = Destinations(
        sender.attempt, outcomes.add, limits, most=settings.max_in_flight, starved=due.set, full=outcomes.full
    )
    recorder = Recorder(store, publisher, outcomes, destinations, holds=holdings.holds, lease_seconds=lease)
    claims = Claims(
        store, destinations, holdings, outcomes,
        cut_off=sender.cut_off, due=due, sweep_results=recorder.sweep, lease_seconds=lease,
    )  # fmt: skip
    takeover = Takeover(
        store, destinations, holdings, outcomes.look_after,
        lease_seconds=lease, first_attempts=settings.first_attempts, superseded=superseded,
    )  # fmt: skip
    return Works(pulse, destinations, recorder, claims, takeover)
