"""Who is in the middle of a flow goes on in another version of it."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.problems import FlowInvalid
from flowlang.running.bot_flows import BotFlows
from flowlang.running.migration import Moved, Place, Stays, moved
from support.dialogue import Dialogue, compiled, document

SHOPS = [{"id": "north", "title": "North"}, {"id": "south", "title": "South", "to": "done"}]


def say(text: str) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}]}


def ask(text: str = "Which?", **more: Any) -> dict[str, Any]:
    shown = {"type": "choice", "options": SHOPS, "save_to": "memory.shop"}
    return {"type": "ask", "text": text, "input": shown, "ports": {"ok": "done"}, **more}


def migrate(dialogue: Dialogue, *documents: dict[str, Any]) -> Moved | Stays | None:
    """Publish these as the next versions of the flows, and take the conversation to that of the first."""
    newer = [compiled(raw, f"f{place}", 2) for place, raw in enumerate(documents, start=1)]
    older = {(graph.flow_id, graph.version): graph for graph in dialogue.graphs}
    dialogue.flows = BotFlows([*newer, *dialogue.graphs[len(newer) :]], lambda flow, number: older.get((flow, number)))
    found = moved(dialogue.conversation, newer[0], dialogue.flows.graph)
    if isinstance(found, Moved):
        dialogue.conversation = found.conversation
    return found


def test_an_answer_is_taken_by_the_node_of_the_new_version() -> None:
    talk = Dialogue(document({"which": ask(), "done": say("Old: {{ memory.shop }}")}))
    talk.say("/go")
    before = talk.conversation
    found = migrate(talk, document({"which": ask("Which shop?"), "done": say("New: {{ memory.shop }}")}))
    assert isinstance(found, Moved)
    assert found.place == Place(1, "which")
    assert talk.conversation.session is not None
    assert before.session is not None
    assert (before.session.flow_version, talk.conversation.session.flow_version) == (1, 2)
    assert talk.conversation.session.wait == before.session.wait
    talk.say("North")
    assert talk.texts == ["New: north"]


def test_a_tap_on_what_the_old_version_has_shown_is_an_answer_in_the_new_one() -> None:
    talk = Dialogue(document({"which": ask(), "done": say("Old")}))
    talk.say("/go")
    migrate(talk, document({"which": ask(), "done": say("New")}))
    talk.tap("South")
    assert talk.texts == ["New"]


def test_a_call_in_flight_a_delay_and_their_timers_go_on() -> None:
    nodes = {
        "call": {"type": "call_api", "api": "seats", "response": "raw", "ports": {"ok": "later", "error": "later"}},
        "later": {"type": "delay", "for": "PT1H", "ports": {"next": "done"}},
    }
    talk = Dialogue(document({**nodes, "done": say("Old")}))
    talk.say("/go")
    token = talk.token
    talk.say("a message meanwhile")
    migrate(talk, document({**nodes, "done": say("New")}))
    assert (talk.token, len(talk.conversation.queued)) == (token, 1)
    talk.api_answers({})
    token = talk.token
    talk.fire(token)
    assert talk.texts == ["New"]


GONE = document({"other": ask(), "done": say("New")})


@pytest.mark.parametrize(
    ("older", "newer", "reason"),
    [
        (ask(), None, "node-gone"),
        (ask(), {"type": "delay", "for": "PT1H"}, "other-type"),
        (ask(), {**ask(), "input": {"type": "text"}}, "other-answer"),
        (ask(), {**ask(), "input": {"type": "choice", "options": SHOPS[:1]}}, "other-options"),
        (ask(), {**ask(), "input": {"type": "choice", "options": SHOPS[::-1]}}, "other-options"),
        (ask(), {**ask(), "input": {"type": "choice", "options": [*SHOPS, {"id": "east", "title": "E"}]}}, None),
        ({"type": "wait_event", "name": "paid"}, {"type": "wait_event", "name": "settled"}, "other-event"),
        ({"type": "call_api", "api": "seats"}, {"type": "call_api", "api": "rooms"}, "other-call"),
        ({"type": "call_api", "api": "seats"}, {"type": "call_api", "api": "seats", "params": {"a": "b"}}, None),
        ({"type": "delay", "for": "PT1H"}, {"type": "delay", "for": "PT2H"}, None),
    ],
)
def test_who_does_not_fit_stays(older: dict[str, Any], newer: dict[str, Any] | None, reason: str | None) -> None:
    talk = Dialogue(document({"which": older, "done": say("Old")}))
    talk.say("/go")
    before = talk.conversation
    found = migrate(talk, document({"which": newer, "done": say("New")}) if newer else GONE)
    if reason is None:
        assert isinstance(found, Moved)
    else:
        assert found == Stays(Place(1, "which"), reason)
        assert talk.conversation is before


def test_who_is_nowhere_in_another_version_is_left_alone() -> None:
    talk = Dialogue(document({"done": say("Old")}))
    talk.say("/go")
    assert migrate(talk, document({"done": say("New")})) is None


def test_a_button_of_an_earlier_message_leads_into_the_new_version_if_that_has_all_of_them() -> None:
    buttons = [{"id": "more", "title": "More", "to": "done"}]
    nodes = {"hi": {"type": "say", "parts": [{"text": "Hi", "buttons": buttons}], "ports": {"next": "which"}}}
    talk = Dialogue(document({**nodes, "which": ask(), "done": say("Old")}))
    talk.say("/go")
    kept = talk.conversation
    migrate(talk, document({**nodes, "which": ask(), "done": say("New")}))
    talk.tap("More")
    assert talk.texts == ["New"]
    talk = Dialogue(document({**nodes, "which": ask(), "done": say("Old")}))
    talk.conversation = kept
    talk.turn.conversation = kept
    other = {"type": "say", "parts": [{"text": "Hi"}], "ports": {"next": "which"}}
    migrate(talk, document({"hi": other, "which": ask(), "done": say("New")}))
    (tap,) = [tap for tap in talk.conversation.taps.values() if tap["node"] == "hi"]
    assert tap["flow_version"] == 1


CALLING = {"sub": {"type": "call", "flow": "inner", "ports": {"next": "done"}}}
INNER = {**document({"which": ask(), "done": say("inner")}, slug="inner"), "triggers": []}


def test_a_flow_that_waits_for_one_that_it_called_moves_and_the_called_one_stays() -> None:
    talk = Dialogue(document({**CALLING, "done": say("Old")}), INNER)
    talk.say("/go")
    found = migrate(talk, document({**CALLING, "done": say("New")}))
    assert isinstance(found, Moved)
    assert found.place == Place(1, "sub")
    session = talk.conversation.session
    assert session is not None
    assert (session.flow_version, [frame.flow_version for frame in session.frames]) == (1, [2])
    talk.say("North")
    assert talk.texts == ["inner", "New"]


def test_all_places_of_a_conversation_move_or_none() -> None:
    nodes = {**CALLING, "slow": {"type": "call_api", "api": "seats"}, "done": say("Old")}
    slow = {"id": "slow", "type": "command", "value": "/slow", "to": "slow"}
    talk = Dialogue(document(nodes, [slow]), INNER)
    talk.say("/go")
    talk.say("/slow")
    assert len(talk.conversation.stack) == 1
    newer = {**CALLING, "slow": {"type": "call_api", "api": "rooms"}, "done": say("New")}
    assert migrate(talk, document(newer, [slow])) == Stays(Place(1, "slow"), "other-call")
    assert talk.conversation.stack[0].frames[0].flow_version == 1
    assert isinstance(migrate(talk, document({**nodes, "done": say("New")}, [slow])), Moved)
    assert talk.conversation.stack[0].frames[0].flow_version == 2
    talk.api_answers({"ok": True})
    talk.say("North")
    assert talk.texts == ["inner", "New"]


def test_who_stands_on_a_version_that_was_deleted_stays() -> None:
    talk = Dialogue(document({"which": ask(), "done": say("Old")}))
    talk.say("/go")
    newer = compiled(document({"which": ask(), "done": say("New")}), version=2)
    assert moved(talk.conversation, newer, lambda flow, number: None) == Stays(Place(1, "which"), "version-gone")


def test_who_stands_on_a_version_that_this_release_does_not_run_stays() -> None:
    talk = Dialogue(document({"which": ask(), "done": say("Old")}))
    talk.say("/go")
    newer = compiled(document({"which": ask(), "done": say("New")}), version=2)

    def refused(flow: str, number: int) -> None:
        raise FlowInvalid([])

    assert moved(talk.conversation, newer, refused) == Stays(Place(1, "which"), "version-gone")
