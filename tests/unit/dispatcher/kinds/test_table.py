"""One row for each kind of delivery."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from contracts.actions import Action, EraseContacts, SupersedeMessages
from dispatcher.errors import NotYetKnown
from dispatcher.kinds import call, message
from dispatcher.kinds.table import DELIVERY_KINDS, BrokenKind, limits_in, table_of
from dispatcher.model.delivery import FEW, Limits, unknown_kind
from dispatcher.model.retry_schedule import WEBHOOKS
from support.deliveries import catalogue_of, channel, endpoint


def test_every_action_of_the_contract_has_one_kind_and_events_have_theirs() -> None:
    actions = [kind.action for kind in DELIVERY_KINDS.values()]
    assert set(actions) == {None, *get_args(get_args(Action)[0])} - {SupersedeMessages, EraseContacts}, (
        "they end deliveries, and are none"
    )
    assert len(actions) == len(set(actions))


def test_what_each_kind_promises() -> None:
    said = {
        name: (kind.prefix, kind.batched, kind.answered, kind.not_replayable is None, kind.schedule == WEBHOOKS)
        for name, kind in DELIVERY_KINDS.items()
    }
    assert said == {
        "message": ("channel", False, False, False, False),
        "acknowledge": ("channel", True, False, False, False),
        "call": ("api", False, True, False, False),
        "model": ("model", False, True, False, False),
        "channel_call": ("channel-call", False, True, False, False),
        "http_request": ("request", False, False, False, False),
        "webhook": ("host", True, False, True, True),
        "event": ("endpoint", True, False, True, True),
    }


def test_kinds_that_share_their_destinations_share_their_limits() -> None:
    limits: dict[str, object] = {}
    for kind in DELIVERY_KINDS.values():
        assert limits.setdefault(kind.prefix, kind.limits) is kind.limits


@pytest.mark.parametrize("again", [call.KIND, replace(call.KIND, name="other"), replace(message.KIND, name="call")])
def test_two_rows_of_one_name_or_for_one_action_are_refused(again: object) -> None:
    with pytest.raises(BrokenKind, match="there is a delivery kind"):
        table_of([("ours", call.KIND), ("theirs", again)])


def test_what_is_no_kind_is_refused_by_its_origin() -> None:
    with pytest.raises(BrokenKind, match="theirs is no DeliveryKind"):
        table_of([("theirs", object())])


@pytest.mark.parametrize(
    ("destination", "taken"),
    [
        ("endpoint:endpoint-1", Limits(7, 2.5)),
        ("endpoint:another", FEW),
        ("channel:another", FEW),
        ("channel-call:channel-1", FEW),
        ("api:x", Limits(32)),
        ("host:project-1/e.com:443", Limits(64)),
        ("nothing:x", FEW),
    ],
)
def test_limits_follow_from_the_destination(destination: str, taken: Limits) -> None:
    rate = {"count": 5, "per_seconds": 2}
    catalogue = catalogue_of(endpoint(max_in_flight=7, rate_limit=rate), channel())
    assert limits_in(DELIVERY_KINDS, catalogue)(destination) == taken


def test_a_row_of_a_kind_that_this_version_does_not_know_waits() -> None:
    with pytest.raises(NotYetKnown, match="delivery kind sculpture"):
        unknown_kind("sculpture").request(None, None)  # type: ignore[arg-type]  # nothing is looked at
