"""To how many endpoints one event may go."""

from __future__ import annotations

import pytest

from contracts.registry import Endpoint
from registry.values.event_breadth import breadth


def endpoint(*events: str, bots: tuple[str, ...] = ()) -> Endpoint:
    return Endpoint.model_construct(events=events, bots=bots)


@pytest.mark.parametrize(
    ("endpoints", "most"),
    [
        ([], 0),
        ([endpoint("message.sent")], 1),
        ([endpoint("*")], 1),
        ([endpoint("*"), endpoint("message.sent"), endpoint("message.sent"), endpoint("flow.completed")], 3),
        ([endpoint("message.sent", bots=("a",)), endpoint("message.sent", bots=("b",))], 1),
        ([endpoint("message.sent", bots=("a",)), endpoint("message.sent", bots=("b",)), endpoint("*")], 2),
        ([endpoint("*", bots=("a", "b")), endpoint("message.sent", bots=("b",)), endpoint("flow.completed")], 2),
        ([endpoint("message.sent", "message.sent")], 1),
    ],
)  # fmt: skip
def test_it_is_the_most_that_chose_the_same_event_of_the_same_bot(endpoints: list[Endpoint], most: int) -> None:
    assert breadth(endpoints) == most
