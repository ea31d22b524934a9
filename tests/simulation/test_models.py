"""A turn with a language model under every seed's trouble: no tool is called twice for one call of the model, and each turn ends."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest
from multidict import CIMultiDict

from contracts.registry import ApiCall, FlowVersion
from servicekit.http_client.guarded_http import Answer
from simulation import receivers, world
from simulation.faults import Profile
from simulation.receivers import Heard, Receivers
from simulation.run import simulate
from simulation.tenants import _with, api_host, entities
from support.fake_model import calls, completion

ASKS = 1
"""The tenant whose flow asks."""
SEEDS = 6
SHAKEN = Profile(seconds=15, kill=0.004, unknown=0.03, loses=0.03, ends=2, rebalances=1, people=9)
ASKING = _with(
    "ask",
    {
        "type": "ai", "model": "main", "input": "{{ user.id }} {{ event.text }}", "tools": ["look-up"], "history": 5, "timeout": "PT2M",
        "output": {"schema": {"type": "object", "required": ["said"]}, "save_to": "memory.found"},
        "ports": dict.fromkeys(("ok", "refused", "error", "timeout"), "answer"),
    },
)  # fmt: skip


def _entity(entity: Any) -> Any:
    if isinstance(entity, FlowVersion) and entity.flow_id == f"flow-{ASKS}":
        return entity.model_copy(update={"document": ASKING})
    if isinstance(entity, ApiCall) and entity.id == f"api-{ASKS}":
        return entity.model_copy(update={"parameters": {"of": "string!"}})
    return entity


MODEL = ApiCall(
    id="model-1", project_id=f"project-{ASKS}", name="main", kind="model", method="POST", url="http://model.test/", model="m"
)  # fmt: skip


def _completion(question: dict[str, Any]) -> dict[str, Any]:
    """The tool first, then the object."""
    *_, last = question["messages"]
    if last["role"] == "user":
        return calls(("c1", "look-up", {"of": last["content"]}))
    return completion(orjson.dumps({"said": last["content"]}).decode())


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the tool was called for each of the model's calls, whatever came of it."""
    came, usual, arrived = Counter[str](), receivers._answer, Receivers._arrived

    def answer(heard: Heard) -> Answer:
        if heard.host != "model.test":
            return usual(heard)
        return Answer(200, CIMultiDict({"content-type": "application/json"}), orjson.dumps(_completion(heard.body)), 1)

    def note(self: Receivers, host: Any, heard: Heard, into: Any) -> None:
        if heard.host == api_host(ASKS):
            came[heard.body["of"]] += 1
        arrived(self, host, heard, into)

    monkeypatch.setattr(receivers, "_answer", answer)
    monkeypatch.setattr(Receivers, "_arrived", note)
    view = world.UnchangingView(MODEL, *map(_entity, entities()))
    monkeypatch.setattr(world, "VIEW", view)
    return came


@pytest.mark.seconds(30)
def test_a_tool_is_called_once_whatever_is_killed_and_each_turn_ends(called: Counter[str]) -> None:
    wrong = [each for seed in range(SEEDS) for each in _of_run(seed, called)]
    assert wrong == []


def _of_run(seed: int, called: Counter[str]) -> list[str]:
    called.clear()
    report = simulate(seed, profile=SHAKEN)
    twice = [f"{of!r} was looked up {count} times" for of, count in called.items() if count > 1]
    assert called
    return [f"seed {seed}: {each}" for each in [*report.wrong, *twice]]
