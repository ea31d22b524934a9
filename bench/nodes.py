"""What each type of node costs in the interpreter alone: no Kafka, no PostgreSQL and no process but this one.

Microseconds of CPU, medians of the rounds: `turn` of the turn that comes to the node by a command, `node` of what that takes more
than a turn that comes to `end` at once, and `wakes` of the turn in which comes what the node waits for. `raw` is a turn of
plain Python that does what the one of `say` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.measure import median, medians, report
from bench.rig import options
from flowlang.language.cases import STARTS_AT, Given
from flowlang.model import Conversation, EmitEvent, Happening, Say, Turn
from flowlang.nodes.registry import NODE_TYPES
from flowlang.running.bot_flows import BotFlows
from flowlang.running.interpreter import step
from flowlang.running.walk import ERROR_PORTS
from flowlang.simulation.stage import NOTHING, contact_of, conversation_of, flows_of, tools
from servicekit.memory import tune_collector

GIVEN = Given(user={"name": "Ada Lovelace", "city": "London"})
TOOLS, CONTACT = tools(GIVEN, NOTHING), contact_of(GIVEN)
GO = Happening("go", "message", STARTS_AT, {"text": "/go", "payload": None, "type": "text", "message_id": "1"})
TEXT = "Good morning, {{ user.name }}."
CALLED = {
    "schema": "flow/1", "slug": "called", "name": "called", "start": "back",
    "nodes": {"back": {"type": "return", "value": TEXT}},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """A node. `answer`: the kind and the data of what it waits for; the token of its wait is added."""

    node: dict[str, Any]
    answer: tuple[str, dict[str, Any]] | None = None


def _answered(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "call_result", {"outcome": "ok", "status": 200, "body": body, "error": None}


CASES = {
    "ai": Case({"model": "clever", "input": TEXT, "say": True}, _answered({"text": "Good morning."})),
    "ask": Case(
        {"text": TEXT, "input": {"type": "text", "save_to": "memory.text"}},
        ("message", {"text": "blue", "payload": None, "type": "text", "message_id": "2"}),
    ),
    "call": Case({"flow": "called", "params": {"text": TEXT}, "save_to": "memory.text"}),
    "call_api": Case({"api": "shop", "params": {"name": "{{ user.name }}"}}, _answered({"responses": ["Good morning."]})),
    "code": Case(
        {"source": "1 + 1", "save_to": "memory.text"},
        ("code_result", {"ok": True, "value": 2, "sent": [], "runs": [], "error": None}),
    ),
    "condition": Case({"branches": [{"if": 'user.city == "Paris"', "to": "end"}], "else": "end"}),
    "delay": Case({"for": "PT1H"}, ("timer", {})),
    "end": Case({}),
    "flag": Case({"add": ["seen"]}),
    "hook_url": Case({"command": "/go", "save_to": "memory.text"}),
    "http_request": Case(
        {"url": "https://shop.example/?name={{ user.name }}", "save": {"memory.text": "name"}},
        _answered({"name": "Ada Lovelace"}),
    ),
    "jump": Case({"to": "end"}),
    "live_chat": Case(
        {"text": TEXT, "queue": "sales", "timeout": "PT1H"},
        ("owner", {"to": "bot", "by": {"id": "1", "name": "Grace"}, "agent": None, "instead_of": None}),
    ),
    "notify_agent": Case({"text": TEXT}),
    "redirect": Case({"url": "https://shop.example/", "save_to": "memory.text"}),
    "return": Case({"value": TEXT}),
    "say": Case({"parts": [{"text": TEXT}]}),
    "send_webhook": Case({"title": TEXT, "url": "https://shop.example/hook"}),
    "set": Case({"values": {"memory.text": TEXT}}),
    "split": Case({"branches": [{"weight": 1, "to": "end"}, {"weight": 1, "to": "end"}]}),
    "tag": Case({"add": ["seen"]}),
    "unsubscribe": Case({}),
    "wait_event": Case({"name": "paid", "timeout": "PT1H", "save_to": "memory.text"}, ("signal", {"name": "paid", "data": 1})),
}  # fmt: skip


def flows(type: str) -> BotFlows:
    """A bot with a flow in which a command leads to a node of this type, and on to `end`."""
    ports = {port: "end" for port in NODE_TYPES[type].PORTS if port not in ERROR_PORTS}
    return flows_of([CALLED, {
        "schema": "flow/1", "slug": "bench", "name": "bench", "start": "node",
        "triggers": [{"id": "go", "type": "command", "value": "/go", "to": "node"}],
        "nodes": {"node": {"type": type, **CASES[type].node, "ports": ports}, "end": {"type": "end"}},
    }])  # fmt: skip


def turns(type: str) -> dict[str, Callable[[], Turn]]:
    """Makes the turns that are measured of a type of node, each as often as one likes. Raises RuntimeError where one fails."""
    bot, conversation = flows(type), conversation_of(GIVEN)
    made = {"turn": lambda: step(bot, conversation, CONTACT, GO, TOOLS)}
    first = _without_error(type, made["turn"]())
    if (answer := CASES[type].answer) is not None:
        happening = _happening(answer, first)
        made["wakes"] = lambda: step(bot, first.conversation, first.contact, happening, TOOLS)
        _without_error(type, made["wakes"]())
    return made


def _happening(answer: tuple[str, dict[str, Any]], rests: Turn) -> Happening:
    kind, data = answer
    session = rests.conversation.session
    token = session.wait.token if session is not None and session.wait is not None else None
    return Happening("wakes", kind, STARTS_AT, {**data, "wait": token})


def _without_error(type: str, turn: Turn) -> Turn:
    """A node that fails would be measured as something else."""
    if turn.refused or not turn.steps or any("error" in one for one in turn.steps):
        raise RuntimeError(f"{type}: {turn.refused or turn.steps}")
    return turn


def raw(conversation: Conversation) -> Turn:
    """The turn of a bot that is written out in Python: the same message and events, nothing looked up."""
    text = f"Good morning, {CONTACT.profile['name']}."
    told = [EmitEvent("flow.launched", {}, contact=CONTACT), EmitEvent("flow.completed", {}, contact=CONTACT)]
    further = replace(conversation, version=conversation.version + 1, next_seq=conversation.next_seq + 1)
    return Turn(
        further, CONTACT, [told[0], Say(conversation.next_seq, text), told[1]], [{"node": "node", "type": "say"}]
    )


def microseconds(make: Callable[[], Turn], count: int) -> float:
    """CPU of a turn."""
    before = time.process_time_ns()
    for _ in range(count):
        make()
    return (time.process_time_ns() - before) / 1000 / count


def measured(types: Sequence[str], rounds: int, count: int) -> tuple[float, dict[str, dict[str, float]]]:
    """The raw turn, and `turn`, `node` and `wakes` by type: in every round one type after the other, each beside `end`."""
    conversation, ends = conversation_of(GIVEN), turns("end")["turn"]
    made = {type: turns(type) for type in types}
    bare, found = list[float](), {type: list[dict[str, float]]() for type in types}
    for _ in range(rounds):
        bare.append(microseconds(lambda: raw(conversation), count))
        for type in types:
            nothing = microseconds(ends, count)
            took = {name: microseconds(make, count) for name, make in made[type].items()}
            found[type].append({**took, "node": took["turn"] - nothing})
    return median(bare), {type: medians(each) for type, each in found.items()}


def main() -> None:
    chosen = options(rounds=15, turns=300)
    tune_collector()
    bare, figures = measured(list(CASES), chosen.rounds, chosen.turns)
    rounded = {type: {name: round(value, 1) for name, value in each.items()} for type, each in figures.items()}
    for type, each in rounded.items():
        print(f"| `{type}` | {each['node']} | {each['turn']} | {each.get('wakes', '')} |")
    report("nodes", unit="µs", raw=round(bare, 1), nodes=rounded, rounds=chosen.rounds, turns=chosen.turns)


if __name__ == "__main__":
    main()
