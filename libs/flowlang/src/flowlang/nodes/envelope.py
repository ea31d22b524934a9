"""The answer of a named API call, in our own form: `responses`, `memory`, `user_attributes`, `quickreplies`.

Applied in this order: memory, user_attributes, then the responses are rendered as merge-tag text that sees user and
memory only and are sent, then the quick replies are shown with the last response or, without one, with the next message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flowlang.expressions.scopes import Only
from flowlang.expressions.templates import Template, merge_tags_only
from flowlang.expressions.values import LONGEST_NAME, NOT_VARIABLES
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError
from flowlang.work import Work

KEYS = ("responses", "memory", "user_attributes", "quickreplies")
MOST_RESPONSES = 20
LONGEST_RESPONSES = 16 * 1024
MOST_QUICK_REPLIES = 20
LONGEST_QUICK_REPLY = 200


@dataclass(frozen=True, slots=True)
class Envelope:
    """A well-formed answer."""

    responses: tuple[Template, ...]
    memory: dict[str, Any]
    user_attributes: dict[str, Any]
    quick_replies: tuple[str, ...]


def read(body: Any, status: int | None, work: Work) -> Envelope:
    """The envelope in a decoded body. Raises NodeError `bad-answer` that says what is wrong with it."""

    def refuse(detail: str) -> NodeError:
        return NodeError("bad-answer", detail, status)

    if not isinstance(body, dict):
        raise refuse(f"the answer must be a JSON object with one of {', '.join(KEYS)}")
    if not any(key in body for key in KEYS):
        raise refuse(f"the answer has none of {', '.join(KEYS)}")
    for key in ("responses", "quickreplies"):
        if key in body and not _is_texts(body[key]):
            raise refuse(f"{key} must be a list of strings")
    for key in ("memory", "user_attributes"):
        if key in body and not isinstance(body[key], dict):
            raise refuse(f"{key} must be an object")
    responses, quick_replies = body.get("responses", []), body.get("quickreplies", [])
    if len(responses) > MOST_RESPONSES or sum(map(len, responses)) > LONGEST_RESPONSES:
        raise refuse(f"responses: at most {MOST_RESPONSES}, together {LONGEST_RESPONSES} characters")
    if len(quick_replies) > MOST_QUICK_REPLIES or any(not 1 <= len(q) <= LONGEST_QUICK_REPLY for q in quick_replies):
        raise refuse(f"quickreplies: at most {MOST_QUICK_REPLIES}, of 1 to {LONGEST_QUICK_REPLY} characters")
    if any("{{" in response or "{%" in response for response in responses):
        work.begin()  # Reading what somebody else wrote is not cheap by its form, as what was published is.
    try:
        templates = tuple(merge_tags_only(response) for response in responses if response.strip())
    except ValueError as error:
        raise refuse(f"responses: {error}") from error
    memory = _named(body.get("memory", {}), "memory", status)
    attributes = _named(body.get("user_attributes", {}), "user_attributes", status)
    if own := NOT_VARIABLES & attributes.keys():
        raise refuse(f"user_attributes: {', '.join(sorted(own))} cannot be set by an answer")
    return Envelope(templates, memory, attributes, tuple(quick_replies))


def apply(envelope: Envelope, run: StepContext) -> None:
    """Do what the answer says. Raises NodeError, before anything is sent, when it does not fit."""
    run.write_all("memory", envelope.memory)
    run.write_all("user", envelope.user_attributes)
    scopes = Only(run, "user", "contact", "memory")
    texts = [text for template in envelope.responses if (text := template.render(scopes))]
    for text in texts[:-1]:
        run.say(text)
    run.suggest(envelope.quick_replies)
    if texts:
        run.say(texts[-1])


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _named(values: dict[str, Any], key: str, status: int | None) -> dict[str, Any]:
    for name in values:
        if not 1 <= len(name) <= LONGEST_NAME or "." in name:
            raise NodeError("bad-answer", f"{key}: a name has 1 to {LONGEST_NAME} characters and no dot", status)
    return values
