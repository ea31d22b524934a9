"""Where a user's program comes in, without servers: each door takes a bomb and says how it ended.

A door answers "refused" (the program is not taken), "failed" (it ends as the engine's own failure, a NodeError that is
left by its port) or "done". Anything else that leaves it is a miss: the tests see the exception's name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from bombs.corpus import Bomb
from contracts.registry import FlowVersion
from dispatcher.sending import rendering
from dispatcher.sending.rendering import ProgramFailed
from flow_engine.segments import walker
from flow_engine.simulating import worker as simulating
from flowlang.clock import moment
from flowlang.language.cases import Script
from flowlang.language.check import check
from flowlang.language.compile import compile_flow
from flowlang.model import Contact, Conversation, Happening, Tools, Turn
from flowlang.problems import FlowInvalid
from flowlang.running.bot_flows import BotFlows
from flowlang.running.interpreter import step
from flowlang.segments.filter import SegmentFilter
from flowlang.work import TooCostly, Work
from registry.values import expressions

NOW = "2026-11-21T12:00:00Z"
BRANCHES = 50
"""A condition has at most so many: the bomb goes off in each."""


def flow(bomb: Bomb, node: dict[str, Any] | None = None) -> dict[str, Any]:
    """A question, which gives the test a session to fill, and behind it a node that runs the bomb."""
    return {
        "schema": "flow/1", "slug": "bomb", "name": "Bomb", "start": "ask",
        "triggers": [{"id": "go", "type": "command", "value": "/go", "to": "ask"}],
        "nodes": {
            "ask": {"type": "ask", "text": "?", "input": {"type": "text", "max_length": 16_384}, "ports": {"ok": "bomb"}},
            "bomb": node or _node(bomb),
        },
    }  # fmt: skip


def _node(bomb: Bomb) -> dict[str, Any]:
    if bomb.engine == "liquid":
        return {"type": "say", "parts": [{"text": bomb.source}] * 10, "ports": {}}
    if bomb.engine == "cel":
        return {"type": "condition", "branches": [{"if": bomb.source, "to": "bomb"}] * BRANCHES, "else": "ask"}
    if bomb.engine == "input":
        return {
            "type": "ask",
            "text": "?",
            "input": json.loads(bomb.source),
            "retry": {"max": 0},
            "ports": {"ok": "ask"},
        }
    return {"type": "call_api", "api": "a", "response": "raw", "save": {"temp.found": bomb.source}, "ports": {}}


def _values(bomb: Bomb) -> list[Any]:
    """The program where a node takes values: texts once, for a value has less room than a message."""
    return [{"cel": bomb.source}] * BRANCHES if bomb.engine == "cel" else [bomb.source]


def publish(bomb: Bomb) -> str:
    """The check of `POST /v1/flows/check`, of drafts and of a publish."""
    return "refused" if any(problem.severity == "error" for problem in check(flow(bomb))) else "done"


def turn(bomb: Bomb) -> str:
    """The program runs in a turn."""
    return _turned(bomb, _node(bomb))


def request(bomb: Bomb) -> str:
    """The program is in the body and the query of a request that a flow describes, or reads its answer."""
    node: dict[str, Any] = {"type": "http_request", "url": "https://api.example.com/", "method": "POST", "ports": {}}
    if bomb.engine == "jmespath":
        return _turned(bomb, node | {"save": {"temp.found": bomb.source}})
    return _turned(bomb, node | {"json": _values(bomb), "query": {"q": _values(bomb)[0]}})


def called(bomb: Bomb) -> str:
    """The program makes what a called flow is given, of the person's variables: what a memory cannot hold no flow is called with."""
    source, user = bomb.source, {**bomb.values.get("memory", {}), **bomb.values.get("user", {})}
    for behind in ".[":
        source = source.replace(f"memory{behind}", f"user{behind}")
    moved = replace(bomb, source=source, values={**bomb.values, "memory": {}, "user": user})
    return _turned(
        moved, {"type": "call", "flow": "bomb", "to": "ask", "params": {"given": _values(moved)}, "ports": {}}
    )


def _turned(bomb: Bomb, node: dict[str, Any]) -> str:
    document = flow(bomb, node)
    conversation = Conversation("b/c/1", "p", "b", "c", "telegram", "1", "k1", reachable="subscribed", talked=True)
    tools = Tools(lambda kind, payload: "https://bot.example/", {"id": "b", "name": "Bot"}, {"type": "telegram"}, "p")
    try:
        graph = compile_flow(
            FlowVersion(flow_id="f", project_id="p", bot_id="b", version=1, document=document).encode()
        )
    except FlowInvalid:
        return "refused"
    flows = BotFlows([graph])
    contact = Contact("k1", {}, dict(bomb.values.get("user", {})))
    asked = step(flows, conversation, contact, _message("/go"), tools)
    assert asked.conversation.session is not None
    asked.conversation.session.memory = dict(bomb.values.get("memory", {}))
    event = {"text": "x", **bomb.values.get("event", {})}
    if bomb.engine == "input":
        asked = step(flows, asked.conversation, asked.contact, _message("x"), tools)
    made = step(flows, asked.conversation, asked.contact, _message(**event), tools)
    if bomb.engine == "jmespath":
        wait = made.conversation.session.wait if made.conversation.session else None
        assert wait is not None
        answer = {"wait": wait.token, "outcome": "ok", "status": 200, "body": bomb.values["body"]}
        made = step(flows, made.conversation, made.contact, Happening("e3", "call_result", NOW, answer), tools)
    return _ended(made)


def trigger(bomb: Bomb) -> str:
    """The program is the `when` of a trigger, which reads the contact's variables in place of the session's memory."""
    document = flow(bomb) | {"nodes": {"ask": {"type": "end"}}}
    source = bomb.source
    for behind in ".[":
        source = source.replace(f"memory{behind}", f"user{behind}")
    taken = {"type": "any_message", "to": "ask", "when": source}
    document["triggers"] = [{**taken, "id": f"t{place}"} for place in range(BRANCHES)]
    if any(problem.severity == "error" for problem in check(document)):
        return "refused"
    graph = compile_flow(FlowVersion(flow_id="f", project_id="p", bot_id="b", version=1, document=document).encode())
    conversation = Conversation("b/c/1", "p", "b", "c", "telegram", "1", "k1", reachable="subscribed", talked=True)
    tools = Tools(lambda kind, payload: "", {"id": "b", "name": "Bot"}, {"type": "telegram"}, "p")
    contact = Contact("k1", {}, {**bomb.values.get("memory", {}), **bomb.values.get("user", {})})
    event = _message(**{"text": "x", **bomb.values.get("event", {})})
    made = step(BotFlows([graph]), conversation, contact, event, tools)
    return "done" if made.started else "failed"


def question(bomb: Bomb) -> str:
    """The program is what an `ai` node asks."""
    document = flow(bomb)
    document["nodes"]["bomb"] = {"type": "ai", "model": "m", "input": f"x{bomb.source}", "say": True, "ports": {}}
    try:
        version = FlowVersion(flow_id="f", project_id="p", bot_id="b", version=1, document=document)
        flows = BotFlows([compile_flow(version.encode())])
    except FlowInvalid:
        return "refused"
    tools = Tools(lambda kind, payload: "", {"id": "b"}, {"type": "telegram"}, "p")
    conversation = Conversation("b/c/1", "p", "b", "c", "telegram", "1", "k1", reachable="subscribed", talked=True)
    asked = step(flows, conversation, Contact("k1", {}, dict(bomb.values.get("user", {}))), _message("/go"), tools)
    assert asked.conversation.session is not None
    asked.conversation.session.memory = dict(bomb.values.get("memory", {}))
    event = {"text": "x", **bomb.values.get("event", {})}
    return _ended(step(flows, asked.conversation, asked.contact, _message(**event), tools))


def _message(text: str, **more: Any) -> Happening:
    return Happening("e" + text[:5], "message", NOW, {"type": "text", "message_id": "m", "text": text, **more})


def _ended(made: Turn) -> str:
    return "failed" if any(step.get("error") for step in made.steps) else "done"


def simulate(bomb: Bomb) -> str:
    """The program runs in a simulation, of a draft."""
    given = {"user": dict(bomb.values.get("user", {}))}
    if bomb.engine == "jmespath":
        given |= {"answers": {"bomb": {"body": bomb.values["body"]}}}
    steps = [{"say": "/go"}, {"message": {"text": "x", **bomb.values.get("event", {})}}]
    script = Script.model_validate({"given": given, "steps": steps})
    told = simulating.simulate(simulating.Simulate(flow(bomb), "", (), script, None, {}, None, {}, {}), lambda: None)
    if isinstance(told, simulating.Unsound):
        return "refused"
    assert isinstance(told, bytes)
    nodes = [node for step in orjson.loads(told)["steps"] for turn in step["turns"] for node in turn["nodes"]]
    return "failed" if any("error" in node for node in nodes) else "done"


def answer(bomb: Bomb) -> str:
    """The program stands in the `responses` of an API's answer."""
    calling = {"type": "call_api", "api": "a", "ports": {}}
    document = flow(bomb)
    document["nodes"]["bomb"] = calling
    graph = compile_flow(FlowVersion(flow_id="f", project_id="p", bot_id="b", version=1, document=document).encode())
    flows, tools = BotFlows([graph]), Tools(lambda kind, payload: "", {"id": "b"}, {"type": "telegram"}, "p")
    conversation = Conversation("b/c/1", "p", "b", "c", "telegram", "1", "k1", reachable="subscribed", talked=True)
    asked = step(flows, conversation, Contact("k1", {}, dict(bomb.values.get("user", {}))), _message("/go"), tools)
    called = step(flows, asked.conversation, asked.contact, _message("x"), tools)
    session = called.conversation.session
    assert session is not None
    assert session.wait is not None
    memory = {**bomb.values.get("memory", {}), **bomb.values.get("event", {})}
    session.memory = memory
    source = bomb.source.replace("event.", "memory.")
    body = {"responses": [source] * 20 if len(source) < 800 else [source]}
    result = {"wait": session.wait.token, "outcome": "ok", "status": 200, "body": body}
    return _ended(step(flows, called.conversation, called.contact, Happening("e3", "call_result", NOW, result), tools))


def endpoint_template(bomb: Bomb) -> str:
    """The program is the body of an endpoint, which reads an event in place of a conversation."""
    source = _over_events(bomb)
    if expressions.wrong_template(source):
        return "refused"
    try:
        rendering.render(source, _event(bomb))
    except ProgramFailed:
        return "failed"
    return "done"


def endpoint_filter(bomb: Bomb) -> str:
    """The program is the filter of an endpoint, which reads an event in place of a conversation."""
    source = _over_events(bomb)
    if expressions.wrong_filter(source):
        return "refused"
    try:
        rendering.judge(source, _event(bomb))
    except ProgramFailed:
        return "failed"
    return "done"


def segment(bomb: Bomb) -> str:
    """The program is the filter of a segment, which reads the contact's variables in place of all else."""
    source, variables = bomb.source, dict[str, Any]()
    for root in ("event", "memory", "user"):
        variables |= bomb.values.get(root, {})
        for behind in ".[":
            source = source.replace(f"{root}{behind}", f"contact.variables{behind}")
    source = f"({source}) == true"
    if expressions.read_segment(source)[0]:
        return "refused"
    task = walker.Ask(source, moment(NOW), [SegmentFilter(source).seen({"variables": variables})] * 10)
    work = Work()
    work.begin()
    try:
        SegmentFilter(source).holds(task.people[0], task.now, work)
    except TooCostly:
        assert walker.ask(task, lambda: None)[0] is False
        return "failed"
    assert walker.ask(task, lambda: None)
    return "done"


def _over_events(bomb: Bomb) -> str:
    """The program with the names of `_event`: others an endpoint's program may not have."""
    source = bomb.source
    for root, name in (("event", "event.data.tag"), ("memory", "event.data.node"), ("user", "contact.variables")):
        for behind in ".[":
            source = source.replace(f"{root}{behind}", f"{name}{behind}")
    return source


def _event(bomb: Bomb) -> dict[str, Any]:
    """What a project's own events can hold: their data are what its flows and its callers put in."""
    user, values = bomb.values.get("user", {}), bomb.values
    data = {
        "contact": {"variables": user}, "tag": values.get("event", {}), "node": values.get("memory", {}),
    }  # fmt: skip
    return {"type": "message.received", "timestamp": NOW, "data": data}


DOORS: dict[str, dict[str, Callable[[Bomb], str]]] = {
    "liquid": {
        "publish": publish,
        "turn": turn,
        "request": request,
        "called": called,
        "simulation": simulate,
        "answer": answer,
        "question": question,
        "endpoint template": endpoint_template,
    },
    "cel": {
        "publish": publish,
        "turn": turn,
        "request": request,
        "called": called,
        "simulation": simulate,
        "trigger": trigger,
        "endpoint filter": endpoint_filter,
        "segment": segment,
    },
    "jmespath": {"publish": publish, "turn": turn, "simulation": simulate, "request": request},
    "input": {"publish": publish, "turn": turn},
}
