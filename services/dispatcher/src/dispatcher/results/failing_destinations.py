"""What results say of their destinations, for all replicas: pauses, and endpoints that fail for long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from dispatcher.model.delivery import Delivery, Result
from dispatcher.requests import FINDING_SECONDS
from dispatcher.results import reports
from dispatcher.store.port import Failing, Pause, Session
from servicekit.kafka.records import Outgoing

TELL_AFTER_ATTEMPTS = 4
DISABLE_AFTER = timedelta(days=5)
"""Without one success in between."""
FINDINGS = ("gone", "failing", "unauthorized")
"""Reasons of a pause that end with a change of the entity."""
TOLD: dict[tuple[str, str | None], Callable[[Result, str], list[Outgoing]]] = {
    ("endpoint", "gone"): reports.endpoint_gone,
    ("channel", "unauthorized"): reports.channel_paused,
}
"""By the prefix of the destination and the reason of its pause: the records by which it is told."""


def working(results: Sequence[Result]) -> list[str]:
    """Destinations that did what was asked of them, sorted."""
    attempted = [each for each in results if each.attempt is not None]
    failed = {each.delivery.destination for each in attempted if each.destination_failed}
    return sorted({each.delivery.destination for each in attempted} - failed)


async def note(session: Session, results: Sequence[Result], recovered: set[str], now: str) -> list[Outgoing]:
    """Keep pauses and failures; events for the endpoints' owners. `recovered`: as in Recorded. `now` is RFC 3339."""
    attempted = [each for each in results if each.attempt is not None]
    longest = _longest_pauses(attempted)
    begun = await session.pause(longest) if longest else set[str]()
    made = _found(attempted, begun, now) + _circuits(attempted, recovered, now)
    failures = Counter(each.delivery.destination for each in attempted if each.destination_failed)
    if not failures:
        return made
    failing = await session.note_failures(failures, DISABLE_AFTER)
    return made + await _tell(session, failing, attempted, now)


def _found(attempted: Sequence[Result], begun: set[str], now: str) -> list[Outgoing]:
    """What was found out about destinations: once, however many requests were on their way there at the time."""
    first: dict[str, list[Outgoing]] = {}
    for each in attempted:
        told = TOLD.get((each.delivery.kind.prefix, each.pause_reason))
        if told is not None and each.delivery.destination in begun:
            first.setdefault(each.delivery.destination, told(each, now))
    return [record for records in first.values() for record in records]


def _circuits(attempted: Sequence[Result], recovered: set[str], now: str) -> list[Outgoing]:
    """What the last attempts did to the circuits of endpoints: to ours, and to those of processes that are no more."""
    told = {
        each.delivery.destination: each
        for each in attempted
        if each.circuit is not None or each.delivery.destination in recovered
    }
    return [reports.endpoint_circuit(each, now) for each in told.values() if each.delivery.kind.owner_warned]


def _longest_pauses(attempted: Sequence[Result]) -> list[Pause]:
    asked = (Pause(each.delivery.destination, each.pause, each.pause_reason) for each in attempted if each.pause)
    rising = sorted(asked, key=lambda pause: (pause.reason in FINDINGS, pause.seconds))
    return list({each.destination: each for each in rising}.values())


async def _tell(session: Session, failing: Sequence[Failing], attempted: Sequence[Result], now: str) -> list[Outgoing]:
    """The owners of endpoints that fail hear of it once; after DISABLE_AFTER an endpoint is switched off."""
    made, told, disabled = list[Outgoing](), list[str](), dict[str, Delivery]()
    for each in failing:
        delivery, attempts = _most_tried(attempted, each.destination)
        if not delivery.kind.owner_warned:
            continue
        if each.too_long:
            disabled[each.destination] = delivery
        elif not each.told and attempts >= TELL_AFTER_ATTEMPTS:
            told.append(each.destination)
            made.append(reports.endpoint_failing(delivery, now))
    if told:
        await session.note_told(told)
    if disabled:
        begun = await session.pause([Pause(name, FINDING_SECONDS, "failing") for name in disabled])
        why = f"No delivery succeeded for {DISABLE_AFTER.days} days."
        made += [one for name in begun for one in reports.endpoint_disabled(disabled[name], why, now)]
    return made


def _most_tried(attempted: Sequence[Result], destination: str) -> tuple[Delivery, int]:
    """A delivery that failed there, and the most attempts of any that went there."""
    there = [each for each in attempted if each.delivery.destination == destination]
    failed = next(each.delivery for each in reversed(there) if each.destination_failed)
    return failed, max(each.delivery.attempts for each in there)
