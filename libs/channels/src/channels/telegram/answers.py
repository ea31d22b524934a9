"""What Telegram's answers mean: `{ok, result}`, or `{ok: false, error_code, description, parameters?}`.

A 429 reads the same whether one chat or the whole bot is meant (core.telegram.org/bots/faq: one message a second to a
chat, thirty to all), so its scope is not said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import orjson

from channels.reading import Meaning, Reading

ID = re.compile(r"-?[0-9]{1,20}")
DETAIL_LIMIT = 512
"""Characters of a description that are kept."""


class Rule(NamedTuple):
    """How a refusal is met: `words` in its description, lower case; '' matches any."""

    status: int
    words: str
    code: str
    meaning: Meaning
    unreachable: Literal["blocked", "unreachable", "not_in_chat"] | None = None


RULES = (
    Rule(403, "bot was blocked by the user", "blocked", "unreachable", "blocked"),
    Rule(403, "user is deactivated", "user-deactivated", "unreachable", "unreachable"),
    Rule(403, "can't initiate conversation", "never-started", "unreachable", "unreachable"),
    Rule(403, "bot was kicked", "not-in-chat", "unreachable", "not_in_chat"),
    Rule(403, "bot is not a member", "not-in-chat", "unreachable", "not_in_chat"),
    Rule(403, "not enough rights", "messages-not-allowed", "unreachable", "not_in_chat"),
    Rule(403, "", "forbidden", "unreachable", "unreachable"),
    Rule(400, "chat not found", "chat-not-found", "unreachable", "unreachable"),
    Rule(400, "not enough rights", "messages-not-allowed", "unreachable", "not_in_chat"),
    Rule(400, "", "refused", "refused"),
    Rule(401, "", "unauthorized", "credentials"),
    Rule(404, "", "unauthorized", "credentials"),
    Rule(409, "", "conflict", "failed"),
    Rule(413, "", "too-large", "refused"),
    Rule(429, "", "rate-limited", "limited"),
)
"""The first that matches counts; what none matches (5xx) is tried again and speaks against Telegram's health."""


def read(status: int, body: bytes) -> Reading:
    """What Telegram's answer means."""
    answer = _object(body)
    if status == 200 and answer.get("ok") is True:
        result = answer.get("result")
        sent_id = _id(result.get("message_id")) if isinstance(result, dict) else None
        return Reading("sent", answer=answer, provider_message_id=sent_id)
    told = answer.get("description")
    description = told[:DETAIL_LIMIT] if isinstance(told, str) and told else f"HTTP {status}"
    given = answer.get("parameters")
    parameters: dict[str, Any] = given if isinstance(given, dict) else {}
    if moved := _id(parameters.get("migrate_to_chat_id")):
        return Reading("moved", "chat-moved", description, answer, moved_to=moved)
    return _refusal(status, description, parameters, answer)


def _id(value: Any) -> str | None:
    """Telegram's ids are whole numbers; what is none comes from somebody else's server."""
    text = str(value) if isinstance(value, int | str) else ""
    return text if ID.fullmatch(text) else None


def _refusal(status: int, description: str, parameters: Mapping[str, Any], answer: Any) -> Reading:
    lower = description.lower()
    rule = next((rule for rule in RULES if rule.status == status and rule.words in lower), None)
    if rule is None:
        return Reading("failed", "unavailable", description, answer, healthy=False)
    return Reading(
        rule.meaning,
        rule.code,
        description,
        answer,
        retry_after=_seconds(parameters.get("retry_after")) if rule.meaning == "limited" else None,
        unreachable=rule.unreachable,
        healthy=rule.meaning != "credentials",
    )


def _seconds(value: Any) -> float:
    """Telegram's flood waits are whole seconds; one is the shortest."""
    return max(1.0, float(value)) if isinstance(value, int | float) else 1.0


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
