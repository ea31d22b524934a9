"""Questions to language models, by the protocol of OpenAI's chat completions; and what the answers mean. Pure.

What a model may ask for is bounded here: only a tool that is listed, with arguments of the types that the API call declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from contracts.actions import AskModel, ModelAnswer, ModelMessage, ModelTokens, ModelTool, ToolCall
from contracts.registry import ApiCall
from dispatcher.errors import NoRequest
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import Delivery
from dispatcher.requests import RATE_LIMITED, Reading, Request, checked_headers, checked_url, merged, shown_headers
from dispatcher.sending.api_calls import USUAL_HEADERS, authorised, own_headers
from dispatcher.sending.webhooks import retry_after
from flowlang.declared_types import kind_of, wrong_values
from servicekit.web.problems import ProblemError
from servicekit.web.requests import parse_json

LONGEST_TEXT = 16_000
"""Characters of an answer."""
MOST_CALLS = 8
"""Of one answer; the others are left out."""
LONGEST_ARGUMENTS = 1024
"""Bytes, as JSON: a conversation keeps them until the tool has answered."""
LONGEST_ID = 100
LONGEST_PAUSE = 60.0
"""Seconds for which one answer stops all questions to a model."""
REFUSALS = frozenset({"content_filter", "content_policy_violation"})


def request(delivery: Delivery, catalogue: Catalogue) -> Request:
    """The question as its server takes it, its authorisation filled in last. Raises NoRequest."""
    action: AskModel = delivery.content()
    call = catalogue.api_call(action.api_call_id, delivery.project_id)
    if call.kind != "model" or call.model is None:
        raise NoRequest("exhausted", "no-model", f"{call.name} is no model.")
    if action.spent >= call.turn_tokens:
        raise NoRequest(
            "exhausted", "token-limit", f"The answers so far took {action.spent} tokens: nothing more is asked."
        )
    values = catalogue.sent_values(call)
    usual, own = USUAL_HEADERS, own_headers(delivery) | {"Content-Type": "application/json"}
    return authorised(call, Request(
        "POST", checked_url(values.url), merged(usual, checked_headers(values.headers), own), _body(action, call, values.params),
        float(call.timeout_seconds), call.url, shown_headers(merged(usual, call.headers, own)), secrets=values.secrets,
    ), catalogue)  # fmt: skip


def shown_body(payload: bytes) -> bytes:
    """What is shown of a question's body: that part of it which follows from the delivery, without the model's own `params`."""
    return orjson.dumps(_asked(AskModel.__pydantic_validator__.validate_json(payload)))


def _body(action: AskModel, call: ApiCall, params: Mapping[str, Any]) -> bytes:
    most = {} if "max_completion_tokens" in params else {"max_tokens": call.max_tokens}
    return orjson.dumps({**params, **most, "model": call.model, "stream": False, **_asked(action)})


def _asked(action: AskModel) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [_message(each) for each in action.messages]}
    if action.tools:
        body["tools"] = [_tool(each) for each in action.tools]
        body["tool_choice"] = "auto" if action.may_call else "none"
    if action.answer_schema is not None:
        schema = {"name": "answer", "schema": action.answer_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _message(message: ModelMessage) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.calls:
        wire["tool_calls"] = [_call(each) for each in message.calls]
    if message.call_id is not None:
        wire["tool_call_id"] = message.call_id
    return wire


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: ModelTool) -> dict[str, Any]:
    declared = {name: kind_of(text) for name, text in tool.parameters.items()}
    parameters = {
        "type": "object",
        "properties": {name: {"type": kind} for name, (kind, _) in declared.items()},
        "required": [name for name, (_, needed) in declared.items() if needed],
        "additionalProperties": False,
    }
    described = {"description": tool.description} if tool.description else {}
    return {"type": "function", "function": {"name": tool.name, **described, "parameters": parameters}}


def read(
    action: AskModel, status: int, headers: Mapping[str, str], body: bytes, truncated: bool, now: float
) -> Reading:
    """What a model's answer means. A question does no harm when it is asked again: it is, while somebody waits."""
    if not 200 <= status < 300:
        return _refused_request(status, headers, body, now)
    if truncated:
        return Reading("exhausted", "too-large", "The model's answer is too long.")
    answer = _json(body)
    if answer is None:
        return Reading("exhausted", "not-json", "The model's answer is not JSON.")
    return _completion(action, answer)


def _refused_request(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Reading:
    error = _member(_json(body), "error")
    if status == 400 and _member(error, "code") in REFUSALS:
        return _answered(ModelAnswer(refusal="The model's content filter refused."))
    again = status >= 500 or status in (408, 429)
    reading = Reading("retry" if again else "exhausted", f"http-{status}", f"The model's server answered {status}.")
    reading.destination_failed = status >= 500
    reading.retry_after = retry_after(headers, now)
    if status in (429, 503) and reading.retry_after:
        reading.pause, reading.pause_reason = min(reading.retry_after, LONGEST_PAUSE), RATE_LIMITED
    return reading


def _completion(action: AskModel, answer: Any) -> Reading:
    choices = _member(answer, "choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message, finish, tokens = (
        _member(choice, "message"),
        _member(choice, "finish_reason"),
        _tokens(_member(answer, "usage")),
    )
    if not isinstance(message, dict):
        return Reading("exhausted", "not-a-completion", "The answer is no chat completion: it has no message.")
    refusal, calls, text = message.get("refusal"), message.get("tool_calls"), message.get("content")
    if finish == "content_filter" or (isinstance(refusal, str) and refusal):
        said = refusal if isinstance(refusal, str) and refusal else "The model's content filter refused."
        return _answered(ModelAnswer(refusal=said[:1000], tokens=tokens))
    if finish == "length":
        return _unusable("answer-cut", "The model's answer is longer than its max_tokens.", tokens)
    if isinstance(calls, list) and calls:
        return _answered(ModelAnswer(calls=_calls(calls, action), tokens=tokens))
    if not isinstance(text, str) or not text.strip():
        return _unusable("empty-answer", "The model answered nothing.", tokens)
    if len(text) > LONGEST_TEXT:
        return _unusable("too-large", f"The model's answer has more than {LONGEST_TEXT} characters.", tokens)
    return _answered(ModelAnswer(text=text.strip(), tokens=tokens))


def _answered(answer: ModelAnswer) -> Reading:
    return Reading("succeeded", answer=answer.model_dump(mode="json"))


def _unusable(code: str, why: str, tokens: ModelTokens) -> Reading:
    """What it cost is told all the same."""
    return Reading("exhausted", code, why, answer=ModelAnswer(tokens=tokens).model_dump(mode="json"))


def _calls(calls: list[Any], action: AskModel) -> tuple[ToolCall, ...]:
    tools = {tool.name: tool for tool in action.tools}
    before = sum(len(message.calls) for message in action.messages)
    return tuple(_asked_for(call, before + place, tools) for place, call in enumerate(calls[:MOST_CALLS]))


def _asked_for(call: Any, place: int, tools: Mapping[str, ModelTool]) -> ToolCall:
    id, function = _member(call, "id"), _member(call, "function")
    name, arguments = _member(function, "name"), _member(function, "arguments")
    made = {"id": id if isinstance(id, str) and 0 < len(id) <= LONGEST_ID else f"call-{place}"}
    tool = tools.get(name) if isinstance(name, str) else None
    if tool is None:
        shown = name[:LONGEST_ID] if isinstance(name, str) else "unknown"
        return ToolCall(**made, name=shown, error=f"There is no tool named {shown}.")
    given = _json(arguments.encode("utf-8", "replace")) if isinstance(arguments, str) else arguments
    wrong = _wrong_arguments(tool, given)
    return ToolCall(**made, name=tool.name, error=wrong) if wrong else ToolCall(**made, name=tool.name, arguments=given)


def _wrong_arguments(tool: ModelTool, given: Any) -> str | None:
    if not isinstance(given, dict):
        return "The arguments are no JSON object."
    if len(orjson.dumps(given)) > LONGEST_ARGUMENTS:
        return f"The arguments take more than {LONGEST_ARGUMENTS} bytes."
    unknown = sorted(name[:LONGEST_ID] for name in given if name not in tool.parameters)
    if unknown:
        return f"{tool.name} has no parameter {unknown[0]}."
    wrong = wrong_values(tool.parameters, given)
    return wrong[0][1] + "." if wrong else None


def _tokens(usage: Any) -> ModelTokens:
    return ModelTokens(
        input=_count(_member(usage, "prompt_tokens")), output=_count(_member(usage, "completion_tokens"))
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _json(body: bytes) -> Any:
    """The value; None for what is none that can be passed on."""
    try:
        return parse_json(body)
    except ProblemError:
        return None
