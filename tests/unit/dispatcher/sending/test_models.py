"""Questions to language models: what is sent, and what of an answer is let through."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from contracts.registry import HIDDEN
from dispatcher.errors import NoRequest
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import SendContext
from dispatcher.requests import Reading, Request
from dispatcher.sending import models
from dispatcher.sending.attempt_log import kept_request
from servicekit.http_client.guarded_http import Answer
from support.deliveries import action_delivery, api_call, catalogue_of, model, question, sealed_values_of, secret
from support.fake_model import calls, completion

NOW = 1_800_000_000.0
SECRET = "sk-planted-secret-value"


def requested(asked: Any = None, *entities: Any, entity: Any = None) -> Request:
    return models.request(action_delivery(asked or question()), catalogue_of(entity or model(), *entities))


def sent(asked: Any = None, *entities: Any, entity: Any = None) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(requested(asked, *entities, entity=entity).body or b"")
    return body


def read(answer: Any, status: int = 200, headers: dict[str, str] | None = None, **asked: Any) -> Reading:
    body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    return models.read(question(**asked), status, headers or {}, body, False, NOW)


def test_a_question_is_a_chat_completion() -> None:
    body = sent(question(answer_schema={"type": "object"}), entity=model(max_tokens=300))
    assert (body["model"], body["max_tokens"], body["stream"]) == ("small", 300, False)
    assert body["messages"] == [{"role": "user", "content": "Seats?"}]
    assert body["tool_choice"] == "auto"
    assert body["response_format"]["json_schema"] == {"name": "answer", "schema": {"type": "object"}}
    [tool] = body["tools"]
    assert tool["function"]["parameters"] == {
        "type": "object", "properties": {"day": {"type": "string"}, "hall": {"type": "integer"}}, "required": ["day"],
        "additionalProperties": False,
    }  # fmt: skip
    assert sent(question(may_call=False))["tool_choice"] == "none"
    assert sent(question(tools=())).keys() == {"model", "max_tokens", "stream", "messages"}


def test_what_tools_answered_goes_along() -> None:
    asked = {"id": "c1", "name": "seats-left", "arguments": {"day": "mon"}}
    messages = ({"role": "assistant", "calls": (asked,)}, {"role": "tool", "call_id": "c1", "text": "4"})
    called, answered = sent(question(messages=messages))["messages"]
    assert called["tool_calls"][0]["function"] == {"name": "seats-left", "arguments": '{"day":"mon"}'}
    assert answered == {"role": "tool", "content": "4", "tool_call_id": "c1"}


def test_the_models_own_parameters_stand_beside_the_questions_and_never_in_their_place() -> None:
    own = {"temperature": 0, "messages": [], "stream": True, "model": "large", "tools": []}
    body = sent(entity=sealed_values_of(model(params=own)))
    assert (body["temperature"], body["stream"], body["model"], len(body["messages"])) == (0, False, "small", 1)
    longer = sent(entity=sealed_values_of(model(params={"max_completion_tokens": 50})))
    assert (longer["max_completion_tokens"], "max_tokens" in longer) == (50, False)


def test_the_key_is_sent_and_kept_nowhere() -> None:
    request = requested(None, secret("llm", f"Bearer {SECRET}"), entity=model(auth_secret="llm"))
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.shown_headers["Authorization"] == HIDDEN
    assert SECRET.encode() not in kept_request(request)
    delivery = action_delivery(question())
    entities = catalogue_of(model(auth_secret="llm"), secret("llm", f"Bearer {SECRET}"))
    context = SendContext(entities, lambda source, event: "", 30)
    echo = Answer(200, {}, orjson.dumps(completion(f"Your key is {SECRET}.")), 1, False)
    reading = DELIVERY_KINDS["model"].read(delivery, request, echo, context)
    assert reading.answer["text"] == f"Your key is {HIDDEN}."


def test_the_log_shows_what_was_asked() -> None:
    shown = orjson.loads(models.shown_body(question().encode()))
    assert shown["messages"] == [{"role": "user", "content": "Seats?"}]
    assert requested().shown_body is None


@pytest.mark.parametrize(
    ("entity", "asked", "code"),
    [(api_call(), {}, "no-model"), (model(turn_tokens=500), {"spent": 500}, "token-limit")],
)
def test_nothing_is_asked_of_what_is_no_model_or_has_taken_its_tokens(
    entity: Any, asked: dict[str, Any], code: str
) -> None:
    with pytest.raises(NoRequest) as refused:
        requested(question(**asked), entity=entity)
    assert (refused.value.code, refused.value.outcome) == (code, "exhausted")


def test_a_text_is_an_answer_and_says_what_it_took() -> None:
    reading = read(completion(" Four. "))
    assert reading.verdict == "succeeded"
    assert (reading.answer["text"], reading.answer["tokens"]) == ("Four.", {"input": 100, "output": 20})


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, completion(None, refusal="I cannot help with that.")),
        (200, completion("half a", "content_filter")),
        (400, {"error": {"code": "content_filter", "message": "…"}}),
    ],
)
def test_a_refusal_is_told_as_one(status: int, answer: Any) -> None:
    reading = read(answer, status)
    assert reading.verdict == "succeeded"
    assert reading.answer["refusal"]
    assert reading.answer["text"] is None


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"<html>", "not-json"),
        ([1], "not-a-completion"),
        ({"choices": []}, "not-a-completion"),
        ({"choices": [{"message": "x"}]}, "not-a-completion"),
        (completion("half a sen", "length"), "answer-cut"),
        (completion("  "), "empty-answer"),
        (completion(None), "empty-answer"),
        (completion("x" * 16_001), "too-large"),
    ],
)
def test_what_is_no_answer_is_given_up(answer: Any, code: str) -> None:
    reading = read(answer)
    assert (reading.verdict, reading.code) == ("exhausted", code)


def test_an_answer_that_is_longer_than_is_read_is_given_up() -> None:
    reading = models.read(question(), 200, {}, b"{" * 65536, True, NOW)
    assert (reading.verdict, reading.code) == ("exhausted", "too-large")


@pytest.mark.parametrize(
    ("status", "verdict", "failed"),
    [(500, "retry", True), (503, "retry", True), (429, "retry", False), (408, "retry", False), (401, "exhausted", False), (302, "exhausted", False)],
)  # fmt: skip
def test_errors_are_asked_again_where_that_may_help(status: int, verdict: str, failed: bool) -> None:
    reading = read({"error": {}}, status)
    assert (reading.verdict, reading.code, reading.destination_failed) == (verdict, f"http-{status}", failed)
    assert reading.answer is None


def test_a_server_that_wants_to_be_left_alone_is() -> None:
    reading = read(b"", 429, {"Retry-After": "7"})
    assert (reading.retry_after, reading.pause, reading.pause_reason) == (7.0, 7.0, "rate-limited")
    assert read(b"", 429, {"Retry-After": "9999"}).pause == 60.0


def asked_for(*asked: tuple[str, str, Any]) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = read(calls(*asked)).answer["calls"]
    return answer


def test_a_tool_is_called_as_it_declares() -> None:
    [asked] = asked_for(("c1", "seats-left", {"day": "mon", "hall": 2}))
    assert asked == {"id": "c1", "name": "seats-left", "arguments": {"day": "mon", "hall": 2}, "error": None}


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("delete-everything", {}, "There is no tool named delete-everything."),
        ("seats-left", {}, "day is needed (string)."),
        ("seats-left", {"day": 1}, "day must be of type string."),
        ("seats-left", {"day": "mon", "url": "http://169.254.169.254/"}, "seats-left has no parameter url."),
        ("seats-left", "{broken", "The arguments are no JSON object."),
        ("seats-left", "[]", "The arguments are no JSON object."),
        ("seats-left", "[" * 100_000, "The arguments are no JSON object."),
        ("seats-left", {"day": "x" * 2000}, "The arguments take more than 1024 bytes."),
    ],
)
def test_what_a_tool_does_not_take_is_not_called(name: str, arguments: Any, error: str) -> None:
    [asked] = asked_for(("c1", name, arguments))
    assert (asked["error"], asked["arguments"]) == (error, {})


def test_of_many_calls_the_first_count_and_each_has_an_id() -> None:
    answer = calls(*[("", "seats-left", {"day": "mon"})] * 30)
    got = read(answer).answer["calls"]
    assert [one["id"] for one in got] == [f"call-{place}" for place in range(8)]
    earlier = {"role": "assistant", "calls": ({"id": "c1", "name": "seats-left"},)}
    assert read(answer, messages=(earlier,)).answer["calls"][0]["id"] == "call-1"


@pytest.mark.parametrize(
    "call", [None, 7, [], {}, {"function": 7}, {"id": {}, "function": {"name": [], "arguments": {}}}]
)
def test_a_call_of_any_form_is_read(call: Any) -> None:
    [asked] = read(completion(None, "tool_calls", tool_calls=[call])).answer["calls"]
    assert asked["error"] == "There is no tool named unknown."
