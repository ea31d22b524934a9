"""Questions to a language model that does not behave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.registry import ApiCall
from support.dispatcher import CHANNEL, PROJECT, RunningDispatcher, secret
from support.fake_model import FakeModel, calls, completion, fake_model
from support.waiting import eventually

KEY = "Bearer sk-planted-secret-value"
TOOL = {"name": "seats-left", "parameters": {"day": "string!"}}


@pytest.fixture
async def llm() -> AsyncIterator[FakeModel]:
    async with fake_model() as made:
        yield made


def entity(url: str, **more: Any) -> ApiCall:
    given = {"kind": "model", "name": "main", "method": "POST", "url": url, "model": "small", "auth_secret": "llm"}
    return ApiCall(id="model-1", project_id=PROJECT, **(given | more))


async def ask(dispatcher: RunningDispatcher, wait: str, **more: Any) -> None:
    fields = {"messages": [{"role": "user", "text": "Seats?"}], "tools": [TOOL], "seconds": 30, "wait": wait} | more
    await dispatcher.act("ask_model", api_call_id="model-1", channel_id=CHANNEL, peer_id="p1", **fields)


async def answered(dispatcher: RunningDispatcher, wait: str, seconds: float = 10) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        return next((body for body in await dispatcher.bodies("inbound") if body["wait"] == wait), None)

    body: dict[str, Any] = await eventually(found, seconds=seconds)
    return body


async def test_a_model_is_asked_until_it_answers_and_its_key_is_nowhere(
    dispatcher: RunningDispatcher, llm: FakeModel
) -> None:
    await dispatcher.registry.put(entity(llm.url), secret("llm", KEY))
    await dispatcher.start()
    llm.answers = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\"", (429, {"Retry-After": "1"}),
        completion(f"Four. My key is {KEY}."),
    ]  # fmt: skip
    await ask(dispatcher, "misbehaves")
    body = await answered(dispatcher, "misbehaves", seconds=20)
    assert (body["kind"], body["outcome"], body["body"]["text"]) == ("call_result", "ok", "Four. My key is [hidden].")
    assert body["body"]["tokens"] == {"input": 100, "output": 20}
    assert [headers["authorization"] for headers in llm.headers] == [KEY] * 3
    assert len({headers["idempotency-key"] for headers in llm.headers}) == 1
    llm.answers = [calls(("c1", "seats-left", {"day": "mon"}), ("c2", "drop", {}))]
    await ask(dispatcher, "tools")
    asked = (await answered(dispatcher, "tools"))["body"]["calls"]
    assert [(call["id"], call["name"], call.get("error")) for call in asked] == [
        ("c1", "seats-left", None), ("c2", "drop", "There is no tool named drop."),
    ]  # fmt: skip
    llm.answers = [(401, {}), b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000]
    for wait, code in (("refused", "http-401"), ("huge", "too-large")):
        await ask(dispatcher, wait)
        body = await answered(dispatcher, wait)
        assert (body["outcome"], body["error"]["type"]) == ("error", code)
    kept = await dispatcher.pool.fetch("SELECT request, response FROM attempt")
    assert len(kept) == 6
    said = (
        b"".join(row["request"] + (row["response"] or b"") for row in kept)
        + repr(await dispatcher.bodies("inbound")).encode()
    )
    assert b"sk-planted" not in said


async def test_a_model_that_does_not_answer_in_time_is_a_timeout(dispatcher: RunningDispatcher, llm: FakeModel) -> None:
    llm.seconds = 5.0
    await dispatcher.registry.put(entity(llm.url, timeout_seconds=1), secret("llm", KEY))
    await dispatcher.start()
    await ask(dispatcher, "slow", seconds=2)
    assert (await answered(dispatcher, "slow"))["outcome"] == "timeout"


@pytest.mark.seconds(30)
async def test_a_question_that_a_crash_cut_off_is_asked_again(dispatcher: RunningDispatcher, llm: FakeModel) -> None:
    await dispatcher.registry.put(entity(llm.url), secret("llm", KEY))
    await ask(dispatcher, "killed")
    with dispatcher.process("kill=1@before_record", lease_seconds=5) as child:
        assert await asyncio.to_thread(child.wait, 30) != 0
    assert len(llm.questions) == 1
    await dispatcher.start()
    assert (await answered(dispatcher, "killed", seconds=30))["body"]["text"] == "OK"
    assert llm.questions == [llm.questions[0]] * 2
