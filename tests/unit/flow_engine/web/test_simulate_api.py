"""POST /v1/simulate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from contracts.registry import Bot, Segment
from flow_engine.simulating import worker
from flow_engine.simulating.simulator import Simulator
from flow_engine.web.routes import make_app
from flowlang.language.cases import Script
from servicekit.web.auth import Authoriser
from servicekit.web.problems import ProblemError
from servicekit.workers.line import Limits
from servicekit.workers.pool import WorkerPool
from support.dialogue import document
from support.engine_world import BOT, PROJECT, EngineWorld, published
from support.workers_in_memory import WorkersInMemory
from unit.flow_engine.web.test_events_api import OPERATOR, token

ASK = {"type": "ask", "text": "Who?", "input": {"type": "text", "save_to": "user.nick"}, "ports": {"ok": "bye"}}
FLOW = document({"ask": ASK, "bye": {"type": "say", "parts": [{"text": "{{ bot.shop }}: bye, {{ user.nick }}."}]}})
STEPS: list[dict[str, Any]] = [{"say": "/go"}, {"say": "Ann"}]


@pytest.fixture
def workers() -> WorkersInMemory:
    return WorkersInMemory(lambda: worker.simulate)


@pytest.fixture
async def http(world: EngineWorld, workers: WorkersInMemory) -> AsyncIterator[httpx.AsyncClient]:
    simulator = Simulator(workers)
    deps = SimpleNamespace(
        authoriser=Authoriser(world.view, SecretStr(OPERATOR)),
        catalogue=world.catalogue,
        flows_of=world.catalogue.flows_of,
        simulator=simulator,
        bot=lambda id: world.view.get("bot", id),
        bots=lambda project: world.view.all("bot", project),
        segments_of=lambda project: world.view.all("segment", project),
    )
    transport = httpx.ASGITransport(make_app(deps), client=("203.0.113.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        client.headers.update(token(world, "author", "admin"))
        yield client
    await simulator.close()


def texts(told: dict[str, Any]) -> list[str]:
    effects = [effect for step in told["steps"] for turn in step["turns"] for effect in turn["effects"]]
    return [effect["text"] for effect in effects if effect["effect"] == "say"]


async def test_a_script_is_played_on_a_document_with_what_the_bot_has(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    world.view.put(Bot(id=BOT, project_id=PROJECT, name="Conference", variables={"shop": "Books"}))
    answer = await http.post("/v1/simulate", json={"bot": BOT, "document": FLOW, "steps": STEPS})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert texts(told) == ["Who?", "Books: bye, Ann."]
    assert told["before"]["contact"] == {"tags": [], "flags": []}
    assert told["steps"][0]["after"]["conversation"]["session"]["wait"]["node"] == "ask"
    assert told["steps"][1]["after"]["contact"]["nick"] == "Ann"
    assert told["problems"] == []


async def test_nothing_of_it_is_stored_or_sent(world: EngineWorld, http: httpx.AsyncClient) -> None:
    before = (dict(vars(world.store)), list(world.view.all("bot", PROJECT)))
    await http.post("/v1/simulate", json={"document": FLOW, "steps": STEPS})
    assert (dict(vars(world.store)), list(world.view.all("bot", PROJECT))) == before


async def test_a_published_flow_is_named_and_a_document_stands_in_for_the_one_of_its_slug(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    jump = document({"jump": {"type": "jump", "flow": "other"}}, slug="jumper")
    other = {**document({"there": {"type": "say", "parts": [{"text": "There."}]}}, slug="other"), "triggers": []}
    for entity in published(jump, other):
        world.view.put(entity)
    for flow in ("jumper", "flow-1"):
        told = (await http.post("/v1/simulate", json={"flow": flow, "steps": [{"say": "/go"}, {"start": {}}]})).json()
        assert texts(told) == ["There.", "There."]
    draft = {**other, "nodes": {"there": {"type": "say", "parts": [{"text": "Drafted."}]}}}
    told = (await http.post("/v1/simulate", json={"document": draft, "steps": [{"say": "/go"}]})).json()
    assert texts(told) == ["Drafted."]


async def test_yaml_segments_code_and_given_answers(world: EngineWorld, http: httpx.AsyncClient) -> None:
    world.view.put(Segment(id="s1", project_id=PROJECT, name="anns", filter="contact.name == 'Ann'"))
    text = """
schema: flow/1
slug: story
name: Story
start: which
triggers: [{id: go, type: command, value: /go, to: which}]
nodes:
  which: {type: condition, branches: [{if: "in_segment('anns')", to: code}], else: call}
  code: {type: code, source: "send('code ' + user['name'])", ports: {next: again}}
  again: {type: code, source: "send('again')"}
  call: {type: call_api, api: seats}
"""
    asked: dict[str, Any] = {"document": text, "steps": [{"say": "/go"}], "given": {"user": {"name": "Ann"}}}
    assert texts((await http.post("/v1/simulate", json=asked)).json()) == ["code Ann", "again"]
    asked["given"] = {"user": {"name": "Bob"}, "answers": {"call": {"body": {"responses": ["3 seats"]}}}}
    assert texts((await http.post("/v1/simulate", json=asked)).json()) == ["3 seats"]


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("telegram", [("Hall A\nBig", ["cards"]), ("", []), ("x" * 1025, [])]),
        ("webchat", [("", []), ("x" * 1025, [])]),
    ],
)
async def test_what_a_channel_cannot_show_is_said_as_there(
    channel: str, said: list[tuple[str, list[str]]], http: httpx.AsyncClient
) -> None:
    cards = {"cards": [{"title": "Hall A", "text": "Big"}]}
    picture = {"image": "https://cdn.example.com/a.png", "text": "x" * 1025}  # Longer than a caption of Telegram.
    flow = document({"say": {"type": "say", "parts": [cards, picture]}})
    body = {"document": flow, "given": {"channel": channel}, "steps": [{"say": "/go"}]}
    told = (await http.post("/v1/simulate", json=body)).json()
    effects = [effect for turn in told["steps"][0]["turns"] for effect in turn["effects"] if effect["effect"] == "say"]
    assert [(effect["text"], effect.get("degraded", [])) for effect in effects] == said


async def test_what_is_not_as_expected_is_a_problem_of_the_answer(http: httpx.AsyncClient) -> None:
    steps = [{"say": "/go", "expect": {"says": ["Where?"]}}, {"tap": "Yes"}]
    told = (await http.post("/v1/simulate", json={"document": FLOW, "steps": steps})).json()
    assert [(one["pointer"], one["code"]) for one in told["problems"]] == [
        ("#/steps/0/expect/says", "not-as-expected"),
        ("#/steps/1/tap", "cannot-play"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "type", "pointer"),
    [
        ({"steps": STEPS}, 422, "invalid", "#/document"),
        ({"steps": STEPS, "document": FLOW, "flow": "story"}, 422, "invalid", "#/document"),
        ({"steps": STEPS, "flow": "nothing"}, 422, "invalid", "#/flow"),
        ({"steps": [], "document": FLOW}, 422, "invalid", "#/steps"),
        ({"steps": [{"fly": 1}], "document": FLOW}, 422, "invalid", "#/steps/0/fly"),
        ({"steps": STEPS, "document": {**FLOW, "start": "oops"}}, 422, "flow-invalid", "#/document/start"),
        ({"steps": STEPS, "document": "a: ["}, 422, "flow-invalid", "#/document"),
        ({"steps": STEPS, "document": {}}, 422, "flow-invalid", "#/document/schema"),
        ({"steps": STEPS, "document": FLOW, "bot": "other"}, 404, "not-found", None),
    ],
)
async def test_what_is_wrong_is_named(
    body: dict[str, Any], status: int, type: str, pointer: str | None, http: httpx.AsyncClient
) -> None:
    answer = await http.post("/v1/simulate", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["type"].rpartition("/")[2]) == (status, type), problem
    if pointer is not None:
        assert pointer in [error["pointer"] for error in problem["errors"]]


async def test_only_authors_of_the_project_may(world: EngineWorld, http: httpx.AsyncClient) -> None:
    body = {"bot": BOT, "document": FLOW, "steps": STEPS}
    reader, stranger = token(world, "reader", "data:read"), token(world, "stranger", "admin", project="project-2")
    assert (await http.post("/v1/simulate", json=body, headers=reader)).status_code == 403
    assert (await http.post("/v1/simulate", json=body, headers=stranger)).status_code == 404


async def test_what_costs_too_much_is_the_callers_failure(workers: WorkersInMemory, http: httpx.AsyncClient) -> None:
    body = {"document": FLOW, "steps": STEPS}
    workers.cpu = 30.0
    assert (await http.post("/v1/simulate", json=body)).status_code == 200
    spent = await http.post("/v1/simulate", json=body)
    assert (spent.status_code, spent.headers["retry-after"]) == (429, "2")


async def test_one_that_passes_a_limit_is_ended(workers: WorkersInMemory, http: httpx.AsyncClient) -> None:
    workers.ends, workers.by_limit = (lambda task, progress: True), True
    answer = await http.post("/v1/simulate", json={"document": FLOW, "steps": STEPS})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, "simulation-too-costly")
    workers.by_limit = False
    assert (await http.post("/v1/simulate", json={"document": FLOW, "steps": STEPS})).status_code == 503


async def test_code_and_answers_are_bounded(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flow_engine.simulating.simulator.MOST_RUNS", 1)
    code = document({"code": {"type": "code", "source": "send('hi')"}})
    fine = await http.post("/v1/simulate", json={"document": code, "steps": [{"say": "/go"}]})
    assert texts(fine.json()) == ["hi"]
    twice = await http.post("/v1/simulate", json={"document": code, "steps": [{"say": "/go"}] * 2})
    assert twice.json()["detail"] == "Simulate less at a time: it comes to more than 1 code nodes."
    monkeypatch.setattr("flow_engine.simulating.worker.MOST_ANSWERED", 100)
    large = await http.post("/v1/simulate", json={"document": FLOW, "steps": STEPS})
    assert large.json()["type"].rpartition("/")[2] == "simulation-too-costly"


async def test_a_worker_process_plays_it_and_is_ended_where_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    again = {"code": {"type": "code", "source": "send('hi')", "ports": {"next": "wait"}},
             "wait": {"type": "delay", "for": "PT1S", "ports": {"next": "on"}},
             "on": {"type": "delay", "for": "PT1S", "ports": {"next": "wait"}}}  # fmt: skip
    script = Script.model_validate({"steps": [{"say": "/go"}, {"wait": "PT5M"}, {"wait": "PT5M"}]})
    task = worker.Simulate(document(again), "", (), script, None, {}, None, {}, {})
    async with WorkerPool(worker.TARGET, most=1) as pool:
        simulator = Simulator(pool)
        assert texts(orjson.loads(await simulator.simulate(PROJECT, task))) == ["hi"]
        monkeypatch.setattr("flow_engine.simulating.simulator.LIMITS", Limits(cpu=0.01, seconds=5.0))
        with pytest.raises(ProblemError, match="422 simulation-too-costly"):
            await simulator.simulate(PROJECT, task)
        await simulator.close()
