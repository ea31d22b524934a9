"""What a model and its tools have told each other in one turn of an `ai` node.

A conversation keeps it while a tool or the model is waited for, so it is small: what does not fit is cut, and the model sees that it
is. What the model may ask for ends here too: a tool that the node lists, each call once by its id, and so many in all.
"""

from __future__ import annotations

from typing import Any

import orjson

from flowlang.problems import NodeError

MOST_CALLS = 8
LARGEST = 8 * 1024
"""Bytes of all of it, as JSON."""
LONGEST_RESULT = 2 * 1024
"""Bytes of one tool's answer."""
SHORTEST_RESULT = 200
CUT = "… (cut)"
REPAIR = "That does not follow the JSON Schema: {why}. Answer with the JSON object alone."


class Exchange:
    """`messages` as contracts.actions.ModelMessage; `asked`: calls that the model has asked for; `tokens`: what all answers took;
    `trace`: what the trace says of the present step."""

    def __init__(
        self, messages: list[dict[str, Any]] | None = None, asked: int = 0, tokens: int = 0, *, repaired: bool = False
    ) -> None:
        self.messages, self.asked, self.tokens, self.repaired = list(messages or ()), asked, tokens, repaired
        self.trace: dict[str, Any] = {}

    @classmethod
    def kept(cls, data: dict[str, Any]) -> Exchange:
        """From `as_dict`."""
        return cls(**data)

    def as_dict(self) -> dict[str, Any]:
        """As the wait keeps it."""
        return {"messages": self.messages, "asked": self.asked, "tokens": self.tokens, "repaired": self.repaired}

    def count(self, tokens: dict[str, int]) -> None:
        """An answer took so many."""
        self.tokens += tokens.get("input", 0) + tokens.get("output", 0)
        self.trace["tokens"] = {"input": tokens.get("input", 0), "output": tokens.get("output", 0)}

    def model_asked(self, calls: list[dict[str, Any]], tools: tuple[str, ...]) -> None:
        """The model wants these made. Raises NodeError where it asks on although it may not, or for more than can be kept."""
        if self.asked >= MOST_CALLS:
            raise NodeError("too-many-calls", f"the model asked for more than {MOST_CALLS} calls of tools")
        made = {call["id"] for message in self.messages for call in message.get("calls", ())}
        refused = dict[str, str]()
        shown = []
        for call in calls:
            if call["id"] in made:
                continue
            made.add(call["id"])
            self.asked += 1
            if why := self._why_not(call, tools):
                refused[call["id"]] = why
            shown.append(
                {"id": call["id"], "name": call["name"], "arguments": {} if why else call.get("arguments") or {}}
            )
        if not shown:
            raise NodeError("too-many-calls", "the model asked once more for calls that were made already")
        self.messages.append({"role": "assistant", "calls": shown})
        self.messages += [_result(id, {"error": why}) for id, why in refused.items()]
        if self._size() > LARGEST:
            raise NodeError("too-much-said", f"the calls that a model asks for have at most {LARGEST} bytes")

    def _why_not(self, call: dict[str, Any], tools: tuple[str, ...]) -> str | None:
        if call.get("error"):
            return str(call["error"])
        if call["name"] not in tools:
            return "There is no such tool."
        return None if self.asked <= MOST_CALLS else f"There are no more calls: at most {MOST_CALLS} in all."

    def next_call(self) -> dict[str, Any] | None:
        """The first call that has no answer yet."""
        answered = {message.get("call_id") for message in self.messages}
        calls = (call for message in self.messages for call in message.get("calls", ()))
        return next((call for call in calls if call["id"] not in answered), None)

    def tool_answered(self, call_id: str, result: dict[str, Any]) -> None:
        """What came of a call: the API's answer as it is, or why there is none."""
        failure = result.get("error") or {}
        why = failure.get("detail") or "It gave no usable answer."
        answer = result.get("body") if result.get("outcome") == "ok" else {"error": why}
        room = max(SHORTEST_RESULT, min(LONGEST_RESULT, LARGEST - self._size()))
        self.messages.append({**_result(call_id, answer), "text": cut(orjson.dumps(answer).decode(), room)})

    def repair(self, text: str, why: str) -> None:
        """The model is told, once, why its answer is not what was asked for."""
        self.repaired = True
        said = cut(text, max(SHORTEST_RESULT, min(LONGEST_RESULT, LARGEST - self._size())))
        self.messages += [{"role": "assistant", "text": said}, {"role": "user", "text": REPAIR.format(why=why)}]

    def _size(self) -> int:
        return len(orjson.dumps(self.messages))


def _result(call_id: str, answer: Any) -> dict[str, Any]:
    return {"role": "tool", "call_id": call_id, "text": orjson.dumps(answer).decode()}


def cut(text: str, most: int) -> str:
    """At most so many bytes of UTF-8, with a mark where something is missing."""
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    return encoded[: most - len(CUT.encode())].decode(errors="ignore") + CUT
