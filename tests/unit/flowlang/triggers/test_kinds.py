"""Which events each kind takes, and how the kinds stand to each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flowlang.model import Contact, Conversation, Happening, Tools
from flowlang.patterns import escape, searching
from flowlang.running.bot_flows import BotFlows
from flowlang.running.interpreter import step
from flowlang.triggers.base import Arrival, Precedence
from flowlang.triggers.registry import TRIGGER_KINDS
from flowlang.work import Work
from support.dialogue import compiled, document


def arrival(kind: str = "message", **data: Any) -> Arrival:
    return Arrival(Happening("e1", kind, "2026-11-21T12:00:00Z", data))


def matcher(**trigger: Any) -> Any:
    raw = document({"a": {"type": "end"}}, [{"id": "one", "to": "a", **trigger}])
    return compiled(raw).triggers["one"].matcher


def test_the_precedence_of_the_kinds_is_fixed() -> None:
    ordered = sorted(TRIGGER_KINDS, key=lambda kind: TRIGGER_KINDS[kind].PRECEDENCE)
    assert ordered == [
        "command",
        "button",
        "keyword",
        "event",
        "schedule",
        "webhook",
        "first_message",
        "any_message",
        "no_match",
    ]
    assert [place.name for place in Precedence] == [
        "COMMAND", "BUTTON", "KEYWORD", "EVENT", "FIRST_MESSAGE", "ANY_MESSAGE", "NO_MATCH",
    ]  # fmt: skip


def test_every_kind_says_which_events_it_takes_and_what_it_is() -> None:
    for kind, model in TRIGGER_KINDS.items():
        assert model.TAKES, kind
        assert model.__doc__, kind


@pytest.mark.parametrize(
    ("value", "text", "content"),
    [
        ("/start", "/start", ""),
        ("/start", "  /START  one two ", "one two"),
        ("/start", "/start@shop_bot one", "one"),
        ("help", "Help", ""),
        ("help", "help me", None),
        ("/start", "start", None),
        ("/start", "", None),
        ("/start", None, None),
    ],
)
def test_a_command_is_the_first_word_and_without_a_slash_the_only_one(value: str, text: Any, content: Any) -> None:
    command, typed = matcher(type="command", value=value), arrival(text=text)
    found = set(TRIGGER_KINDS["command"].names_in(typed)) & set(command.names())
    assert bool(found and command.matches(typed)) is (content is not None)
    if content is not None:
        assert command.content(typed) == content


def test_a_url_looks_for_its_own_commands_before_those_of_the_chat() -> None:
    assert TRIGGER_KINDS["command"].names_in(arrival("url", command="/Paid")) == ("url /paid", "chat /paid")
    command = matcher(type="command", value="/paid", **{"from": ["url", "chat"]})
    assert command.names() == ("url /paid", "chat /paid")
    assert command.content(arrival("url", command="/paid", content={"order": 7})) is None


def test_only_a_first_message_is_one() -> None:
    first = matcher(type="first_message")
    assert not first.matches(arrival(text="Hello"))
    assert first.matches(Arrival(arrival(text="Hello").happening, first_message=True))


def test_a_text_without_a_words_characters_has_not_the_word() -> None:
    """RE2 folds a character to others; each of them has the same characters once folded as a whole."""
    for one in map(chr, range(0x30, 0x1FFFF)):
        folded = one.casefold()
        for other in {one.upper(), one.lower(), one.title()} - {one}:
            if other.casefold() != folded and len(other) == 1:
                assert searching(f"(?i){escape(one)}")(other) is None, (one, other)


def test_a_word_is_found_as_it_is_written_and_not_as_it_folds() -> None:
    assert matcher(type="keyword", any=["straße"]).matches(arrival(text="Die STRAẞE da"))
    assert not matcher(type="keyword", any=["straße"]).matches(arrival(text="Die Strasse da"))
    assert matcher(type="keyword", any=["kelvin"]).matches(arrival(text="\u212aelvin"))


def test_many_words_over_a_long_text_come_to_the_gate() -> None:
    """Past 10,000 looks the turn is made where it keeps nobody waiting; a thousand keywords took 100 ms of everybody's."""
    passed: list[int] = []
    asked = arrival(text="y" * 16_000)
    asked.work = Work(gate=lambda: passed.append(1))
    keyword = matcher(type="keyword", any=[f"x{number}" for number in range(100)])
    assert not keyword.matches(asked)
    assert passed == []
    assert not keyword.matches(asked)
    assert passed == [1]


def test_many_conditions_of_triggers_come_to_the_gate() -> None:
    """58,000 of them took 0.1 s of everybody's at each message: a simple comparison charges nothing."""
    triggers = [
        {"id": f"t{number}", "type": "any_message", "to": "a", "when": "memory.a == 1"} for number in range(199)
    ]
    graphs = [compiled(document({"a": {"type": "end"}}, triggers), flow_id=f"f{number}") for number in range(52)]
    passed: list[int] = []
    conversation = Conversation("b/c/1", "p", "b", "c", "telegram", "1", "k1", reachable="subscribed", talked=True)
    tools = Tools(lambda kind, payload: "", {"id": "b"}, {}, "p", lambda: passed.append(1))
    slugs = [replace(graph, slug=f"s{number}") for number, graph in enumerate(graphs)]
    happening = Happening("e1", "message", "2026-11-21T12:00:00Z", {"text": "x"})
    step(BotFlows(slugs), conversation, Contact("k1"), happening, tools)
    assert len(passed) == 199 * 52 + 1  # Each of them, since nothing is there to compare, and the turn itself once.
    triggers = [{**trigger, "when": "user.a == 1"} for trigger in triggers]
    graphs = [compiled(document({"a": {"type": "end"}}, triggers), flow_id=f"f{number}") for number in range(52)]
    slugs = [replace(graph, slug=f"s{number}") for number, graph in enumerate(graphs)]
    passed.clear()
    step(BotFlows(slugs), conversation, Contact("k1", {}, {"a": 2}), happening, tools)
    assert len(passed) == 1


def test_the_ways_into_a_bots_flows_are_put_in_order_a_flow_after_the_other() -> None:
    keep = [{"id": "k", "type": "any_message", "to": "a"}]
    graphs = [
        replace(compiled(document({"a": {"type": "end"}}, keep), flow_id=f"f{number}"), slug=f"s{number}")
        for number in range(4)
    ]
    flows = BotFlows(graphs, at_once=False)
    assert len(list(flows.putting_in_order())) >= 4
    found = flows.takers(arrival(text="x"))
    assert [entry.graph.flow_id for entry in found] == ["f0", "f1", "f2", "f3"]
