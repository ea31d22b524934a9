"""Records that leave a turn: their ids, their shape, their limits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from contracts import actions, events
from contracts.ids import effect_ids
from contracts.inbound import ReplyTo
from flow_engine.state.limits import TURN_LIMIT, VALUE_LIMIT, TooLarge
from flow_engine.state.listeners import MOST_CALLERS, Listeners, dump
from flow_engine.turn.answers import answer_callers
from flow_engine.turn.outputs import MESSAGES_LIMIT, Outputs, contact_view, in_portions, newest_that_fit
from flowlang.model import Contact

NOW = "2026-11-21T00:01:00.000Z"


def outputs(**more: Any) -> Outputs:
    given: dict[str, Any] = {"key": "b/c/1", "id_base": ("b/c/1", 4, "e1"), "project_id": "p", "now": NOW, "hops": 2}
    return Outputs(**given, traceparent=None, **more)


def test_ids_follow_from_the_conversation_its_version_the_event_and_the_ordinal() -> None:
    made = outputs()
    made.event("flow.launched", {})
    made.event("flow.completed", {})
    ids = [(dict(record.headers)["ce_id"]).decode() for record in made.records]
    assert ids == list(map(effect_ids("b/c/1", 4, "e1"), (0, 1)))
    assert effect_ids("b/c/1", 4, "e2")(0) != ids[0]


def test_an_event_has_what_all_share_and_its_own() -> None:
    made = outputs()
    made.share({"event_id": "e1"}, contact_view(Contact("c1", {"name": "Anna"}), "hi"))
    made.event("flow.launched", {"trigger": {"id": "t"}})
    made.event("tag.added", {"tag": "x"}, contact=contact_view(Contact("c2"), None))
    first, second = (orjson.loads(record.value or b"") for record in made.records)
    assert events.Event.model_validate(first).type == "flow.launched"
    assert first["data"]["contact"] == {
        "id": "c1", "name": "Anna", "variables": {}, "tags": [], "flags": [], "webhook_titles": [], "last_message": "hi"
    }  # fmt: skip
    assert (first["data"]["event_id"], first["data"]["trigger"]) == ("e1", {"id": "t"})
    assert second["data"]["contact"]["id"] == "c2"


@pytest.mark.parametrize("data", [{}, {"reason": "x"}])
def test_an_event_about_nobody_is_json_too(data: dict[str, Any]) -> None:
    alone, shared = outputs(), outputs()
    alone.event("flow.failed", data)
    shared.share({"event_id": "e1"}, None)
    shared.event("flow.failed", data)
    assert orjson.loads(alone.records[0].value or b"")["data"] == data
    assert orjson.loads(shared.records[0].value or b"")["data"] == {"event_id": "e1", **data}


def test_an_action_is_what_contracts_says() -> None:
    made = outputs()
    made.action("a1", "post_webhook", "b", "", {"url": "https://x", "title": "t", "timestamp": NOW, "data": {}})
    action = actions.ActionAdapter.validate_json(made.records[0].value or b"")
    assert (action.day, action.hops, action.contact_id) == ("2026-11-21", 2, None)
    assert made.effects == [{"id": "a1", "kind": "post_webhook"}]


def test_a_record_and_a_turn_have_their_limits() -> None:
    with pytest.raises(TooLarge):
        outputs().event("flow.failed", {"x": "x" * VALUE_LIMIT})
    made = outputs()
    for _ in range(TURN_LIMIT // 200_100):
        made.event("flow.failed", {"x": "x" * 200_000})
    with pytest.raises(TooLarge):
        made.event("flow.failed", {"x": "x" * 200_000})


def test_long_backlogs_are_cut_into_portions_and_answers_keep_the_newest() -> None:
    messages = [{"seq": number, "content": {"text": "x" * 200_000}} for number in range(5)]
    assert [[m["seq"] for m in portion] for portion in in_portions(messages)] == [[0, 1], [2, 3], [4]]
    assert [m["seq"] for m in newest_that_fit(messages)] == [3, 4]
    assert list(in_portions([])) == []


def test_what_callers_wait_for_is_kept_within_what_one_reply_holds() -> None:
    """It is in the conversation's row: of 32 callers it would be 16 MB that each turn reads and writes."""
    listeners = Listeners()
    for number in range(MOST_CALLERS):
        to = ReplyTo(instance="i", partition=1, request_id=f"r{number}")
        listeners.add_caller(to, event_id=f"e{number}", at_ms=0, is_url=True)
    said = [{"seq": number, "content": {"text": "x" * 5_000}} for number in range(100)]
    answer_callers(outputs(), listeners, cast(Any, SimpleNamespace(rests=[])), said, "e")
    assert len(dump(listeners) or b"") < MESSAGES_LIMIT + MOST_CALLERS * 200
    assert [[m["seq"] for m in caller.messages] for caller in listeners.callers] == [[97, 98, 99]] * MOST_CALLERS
