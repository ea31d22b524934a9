"""Language models in a conversation: what is asked, what is called, and what a crash repeats; on any store."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from contracts.actions import ActionAdapter
from contracts.ids import NOBODY
from contracts.registry import ApiCall
from support.engine_live_chat_suite import KIM, put, release, take
from support.engine_world import PROJECT, EngineWorld, flow, flow_version

MAIN = ApiCall(
    id="model-1", project_id=PROJECT, name="main", kind="model", method="POST", url="https://llm.example.com/", model="m"
)  # fmt: skip
BOOK = ApiCall(
    id="api-2", project_id=PROJECT, name="book", method="POST", url="https://api.example.com/book", description="Books.",
    parameters={"day": "string!"},
)  # fmt: skip
HELP: dict[str, Any] = {
    "schema": "flow/1", "slug": "help", "name": "Help", "start": "ai",
    "triggers": [{"id": "any", "type": "any_message", "to": "ai"}],
    "nodes": {
        "ai": {
            "type": "ai", "model": "main", "system": "You help.", "history": 10, "tools": ["book", "main"], "say": True,
            "ports": {"error": "sorry"},
        },
        "sorry": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]},
    },
}  # fmt: skip


OPENED: dict[str, Any] = {
    "schema": "flow/1", "slug": "opened", "name": "Opened", "start": "look",
    "triggers": [{"id": "u", "type": "command", "value": "/u", "from": ["url"], "to": "look"}],
    "nodes": {
        "look": {"type": "call_api", "api": "book", "params": {}, "response": "raw", "ports": {"ok": "ai"}},
        "ai": {"type": "ai", "model": "main", "input": "{{ event.status }}", "history": 5, "say": True},
    },
}  # fmt: skip


async def helping(world: EngineWorld, *entities: ApiCall) -> None:
    """The flow is published, with these API calls."""
    for entity in (*entities, flow_version(HELP, flow="flow-9"), flow("help", id="flow-9")):
        world.view.put(entity)


def asked(world: EngineWorld) -> dict[str, Any]:
    """The last action, as contracts has it."""
    action = world.bodies("actions")[-1]
    ActionAdapter.validate_python(action)
    return action


def texts(action: dict[str, Any]) -> list[str]:
    return [message.get("text") for message in action["messages"]]


def answering(action: dict[str, Any], body: Any) -> dict[str, Any]:
    """The dispatcher's answer to an action."""
    return {
        "action_id": action["id"], "wait": action["wait"], "outcome": "ok", "status": 200, "body": body,
        "hops": action["hops"], "id": str(uuid4()),
    }  # fmt: skip


def calls(*ids: str) -> dict[str, Any]:
    return {"calls": [{"id": id, "name": "book", "arguments": {"day": "mon"}} for id in ids]}


class ModelsSuite:
    async def test_a_model_sees_what_was_said_before_and_the_question_once(self, world: EngineWorld) -> None:
        await helping(world, MAIN, BOOK)
        await world.say("Hi")
        first = asked(world)
        assert (first["kind"], first["api_call_id"], texts(first)) == ("ask_model", "model-1", ["You help.", "Hi"])
        assert first["tools"] == [{"name": "book", "description": "Books.", "parameters": {"day": "string!"}}]
        await world.send("call_result", **answering(first, {"text": "Hello {{ bot.id }}."}))
        await take(world)
        put(world, "agent_message", agent=KIM, text="I am Kim.")
        put(world, "agent_note", agent=KIM, text="Rude.")
        await world.settle()
        await release(world)
        await world.say("Seats?")
        question = asked(world)
        assert texts(question) == ["You help.", "Hi", "Hello {{ bot.id }}.", "I am Kim.", "Seats?"]
        assert [message["role"] for message in question["messages"]] == [
            "system", "user", "assistant", "assistant", "user",
        ]  # fmt: skip

    async def test_what_is_written_while_the_model_thinks_is_not_what_it_was_asked(self, world: EngineWorld) -> None:
        await helping(world, MAIN, BOOK)
        await world.say("One?")
        first = asked(world)
        await world.say("Two?")
        await world.send("call_result", **answering(first, calls("c1")))
        await world.send("call_result", **answering(asked(world), {"booked": True}))
        assert texts(asked(world)) == ["You help.", "One?", None, '{"booked":true}']
        await world.send("call_result", **answering(asked(world), {"text": "Done."}))
        assert texts(asked(world)) == ["You help.", "One?", "Done.", "Two?"]

    async def test_a_turn_of_all_its_calls_is_one_step_from_its_cause(self, world: EngineWorld) -> None:
        await helping(world, MAIN, BOOK)
        await world.say("Book it all")
        for place in range(8):
            await world.send("call_result", **answering(asked(world), calls(f"c{place}")))
            await world.send("call_result", **answering(asked(world), {"booked": place}))
        last = asked(world)
        assert (last["may_call"], {action["hops"] for action in world.bodies("actions")}) == (False, {1})
        await world.send("call_result", **answering(last, {"text": "All booked."}))
        assert await world.said() == ["All booked."]

    async def test_an_engine_that_dies_between_a_tool_and_the_next_question_calls_nothing_twice(
        self, world: EngineWorld
    ) -> None:
        await helping(world, MAIN, BOOK)
        await world.say("Book")
        await world.send("call_result", **answering(asked(world), calls("c1")))
        booking = answering(asked(world), {"booked": True})
        world.put("call_result", **booking)
        await world.compute()
        world.restart(compute_budget=0.2)  # What was computed is lost with the process.
        await world.settle()
        await world.send("call_result", **booking)
        made = [action["kind"] for action in world.bodies("actions")]
        assert made == ["ask_model", "call_api", "ask_model"]
        assert texts(asked(world))[-1] == '{"booked":true}'
        question = answering(asked(world), {"text": "Booked."})
        world.put("call_result", **question)
        world.put("call_result", **question)
        await world.settle()
        assert await world.said() == ["Booked."]

    async def test_a_url_that_is_opened_for_nobody_has_its_answers(self, world: EngineWorld) -> None:
        await helping(world, MAIN, BOOK)
        world.view.put(flow_version(OPENED, flow="flow-8"), flow("opened", id="flow-8"))
        waiting = {"instance": "ingress-1", "partition": 1, "request_id": "r"}
        await world.send("url", "link-1", channel=NOBODY, link_id="link-1", command="/u", reply_to=waiting)
        for body in ({"booked": True}, {"text": "Good morning."}):
            await world.send("call_result", "link-1", channel=NOBODY, **answering(asked(world), body))
        [reply] = world.bodies("replies")
        assert (reply["status"], reply["answer"]) == ("completed", "Good morning.")

    async def test_a_model_that_nobody_has_defined_takes_the_error_way(self, world: EngineWorld) -> None:
        await helping(world, BOOK, MAIN.model_copy(update={"kind": "http"}))
        await world.say("Hi")
        assert await world.said() == ["unknown-model"]
