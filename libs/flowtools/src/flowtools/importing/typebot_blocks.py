"""What becomes of each type of Typebot's blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

from flowlang.expressions.templates import url_template
from flowtools.importing.draft import slug
from flowtools.importing.exports import at, number, objects, text
from flowtools.importing.typebot_conditions import branches
from flowtools.importing.typebot_flow import Flow, Unit
from flowtools.importing.typebot_requests import request
from flowtools.importing.typebot_texts import plain
from flowtools.importing.typebot_values import is_number, value

MOST_OPTIONS = 40
RETRIES = 20
"""Typebot asks again without end; this is as often as it can be here."""
LONGEST_DELAY = 30 * 24 * 3600
FILES = frozenset(("image", "video", "audio"))
"""Bubbles that are files, which a message holds by their address."""
_OPTION_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_TAG_ALONE = re.compile(r"\{\{ [\w.]{1,100} \}\}")


def leave_out(flow: Flow, unit: Unit) -> None:
    """No node."""
    if to_do := LEFT_OUT.get(unit.type, "build it of nodes that there are"):
        flow.draft.report(unit.block, f"block {unit.type}", "left out", to_do)
    flow.draft.leave_out(unit.id, unit.block, flow.following(unit))


def held(block: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(variable, what the block writes to it: string, number or any)."""
    kind, options = text(block, "type"), at(block, "options")
    variable = text(options, "variableId")
    if kind in INPUTS and variable:
        yield variable, INPUTS[kind][1]
    elif kind == "Set variable" and variable:
        yield variable, "number" if is_number(text(options, "expressionToEvaluate")) else "string"
    for saved in objects(options, "responseVariableMapping"):
        yield text(saved, "variableId"), "any"


def _say(flow: Flow, unit: Unit) -> None:
    parts = [part for block in unit.blocks if (part := _part(flow, block)) is not None]
    if parts:
        flow.draft.add(unit.id, unit.block, {"type": "say", "parts": parts, "ports": {"next": flow.following(unit)}})
    else:
        flow.draft.leave_out(unit.id, unit.block, flow.following(unit))


def _part(flow: Flow, block: dict[str, Any]) -> dict[str, str] | None:
    """A bubble as a part of a message. A file is one by its address; a player of another site, or a page, is not."""
    kind, id = text(block, "type"), text(block, "id")
    made = flow.template(plain(block) if kind == "text" else text(block, "content", "url"), id).strip()
    if not made:
        if kind != "text":
            flow.draft.report(id, f"bubble {kind} without an address", "left out", "write the message")
        return None
    if kind == "text":
        return {"text": made}
    if kind in FILES and text(block, "content", "type") in ("", "url") and _is_address(made):
        return {kind: made}
    flow.draft.report(id, f"bubble {kind}", "its address as a text", "show it as the channel can")
    return {"text": made}


def _is_address(made: str) -> bool:
    """Whether a template can be the address of a file: a variable alone, or scheme and host written out."""
    try:
        url_template(made)
    except ValueError:
        return _TAG_ALONE.fullmatch(made) is not None
    return True


def _question(flow: Flow, unit: Unit) -> str:
    made = flow.template(plain(unit.question), text(unit.question, "id")) if unit.question else ""
    if made.strip():
        return made
    made = flow.template(text(unit.first, "options", "labels", "placeholder"), unit.block)
    made = made if made.strip() else "?"
    flow.draft.report(
        unit.block, f"{unit.type} without a text before it", f"the question {made!r}", "write the question"
    )
    return made


def _ask(flow: Flow, unit: Unit) -> None:
    options = at(unit.first, "options")
    asked = INPUTS[unit.type][0](options)
    for name, what in NOT_ASKED:
        if at(options, name):
            flow.draft.report(unit.block, f"{unit.type}: {name}", "left out", what)
    for name in ("min", "max", "step"):
        if at(options, name) not in (None, "") and number(options, name) is None:
            flow.draft.report(unit.block, f"{unit.type}: {name}", "left out", "write a number")
    if place := flow.place(text(options, "variableId")):
        asked["save_to"] = place
    _add_ask(flow, unit, asked)


def _add_ask(flow: Flow, unit: Unit, asked: dict[str, Any]) -> None:
    retry = flow.template(text(unit.first, "options", "retryMessageContent"), unit.block)
    node = {
        "type": "ask",
        "text": _question(flow, unit),
        "input": asked,
        "retry": {**({"text": retry} if retry.strip() else {}), "max": RETRIES},
        "ports": {"ok": flow.following(unit) or flow.draft.end},
    }
    flow.draft.add(unit.id, unit.block, node)


def _number(options: Any) -> dict[str, Any]:
    bounds = {name: found for name in ("min", "max") if (found := number(options, name)) is not None}
    step = number(options, "step")
    return {"type": "number", **bounds, **({"multiple_of": step} if step and step > 0 else {})}


def _phone(options: Any) -> dict[str, Any]:
    region = text(options, "defaultCountryCode")
    return {"type": "phone", **({"region": region} if re.fullmatch("[A-Z]{2}", region) else {})}


def _rating(options: Any) -> dict[str, Any]:
    length, starts = number(options, "length"), number(options, "startsAt")
    low = int(starts) if starts is not None else 0 if text(options, "buttonType") != "Icons" else 1
    return {"type": "number", "min": low, "max": max(low, int(length or 10)), "integer": True}


def _choose(flow: Flow, unit: Unit) -> None:
    """Typebot keeps the title of what was chosen; an option whose title is no id gets a node `set` that does."""
    options, items = at(unit.first, "options"), list(objects(unit.first, "items"))
    for name, what in NOT_CHOSEN:
        if at(options, name):
            flow.draft.report(unit.block, f"{unit.type}: {name}", "left out", what)
    if len(items) > MOST_OPTIONS:
        flow.draft.report(unit.block, f"{len(items)} choices", f"the first {MOST_OPTIONS}", "ask in two steps")
    place, chosen = flow.place(text(options, "variableId")), []
    for index, item in enumerate(items[:MOST_OPTIONS], 1):
        chosen.append(_option(flow, unit, item, index, place))
    if not chosen:
        leave_out(flow, unit)
        return
    taken = [one["id"] for one in chosen]
    for index, one in enumerate(chosen, 1):
        if taken.count(one["id"]) > 1:
            one["id"] = f"option-{index}"
    saved = {"save_to": place} if place and any("to" not in one for one in chosen) else {}
    _add_ask(flow, unit, {"type": "choice", "options": chosen, **saved})


def _option(flow: Flow, unit: Unit, item: dict[str, Any], index: int, place: str | None) -> dict[str, Any]:
    shown = text(item, "content") or text(item, "title")
    if any(at(item, name) for name in ("displayCondition", "pictureSrc", "description")):
        what = "condition, picture or description of a choice"
        flow.draft.report(
            text(item, "id") or unit.block, what, "left out", "say it in the question, or ask in branches"
        )
    title = flow.title(shown, unit.block, f"Option {index}")
    to = flow.way(text(item, "outgoingEdgeId"))
    is_id = bool(_OPTION_ID.fullmatch(shown))
    if place and (to or not is_id):
        keeping = flow.draft.new_id(f"{unit.id}_{index}")
        following = to or flow.following(unit) or flow.draft.end
        node = {"type": "set", "values": {place: title}, "ports": {"next": following}}
        flow.draft.add(keeping, unit.block, node)
        to = keeping
    return {"id": shown if is_id else f"option-{index}", "title": title, **({"to": to} if to else {})}


def _set(flow: Flow, unit: Unit) -> None:
    options = at(unit.first, "options")
    place = flow.place(text(options, "variableId"))
    found = value(flow, options, unit.block, is_number=flow.types.get(place or "") == "number")
    if place is None or found is None:
        what = f"Set variable {text(options, 'type')} {text(options, 'expressionToEvaluate')}"
        flow.draft.report(unit.block, what, "left out", "write a node `set`, or `code`, that does it")
        flow.draft.leave_out(unit.id, unit.block, flow.following(unit))
        return
    node = {"type": "set", "values": {place: found[0]}, "ports": {"next": flow.following(unit)}}
    flow.draft.add(unit.id, unit.block, node)


def _condition(flow: Flow, unit: Unit) -> None:
    made = []
    following = flow.following(unit)
    for source, item in branches(flow, unit.first):
        made.append({"if": source, "to": flow.way(text(item, "outgoingEdgeId")) or _in_group(unit) or flow.draft.end})
    if made:
        flow.draft.add(
            unit.id, unit.block, {"type": "condition", "branches": made, **({"else": following} if following else {})}
        )
    else:
        flow.draft.leave_out(unit.id, unit.block, following)


def _in_group(unit: Unit) -> str | None:
    return unit.next.id if unit.next else None


def _split(flow: Flow, unit: Unit) -> None:
    percent = number(unit.first, "options", "aPercent")
    first = min(100, max(0, round(percent if percent is not None else 50)))
    ways = {text(item, "path"): flow.way(text(item, "outgoingEdgeId")) for item in objects(unit.first, "items")}
    otherwise = flow.following(unit) or flow.draft.end
    shares = [
        {"weight": weight, "to": ways.get(path) or otherwise} for path, weight in (("a", first), ("b", 100 - first))
    ]
    flow.draft.add(unit.id, unit.block, {"type": "split", "branches": shares})


def _redirect(flow: Flow, unit: Unit) -> None:
    url = flow.template(text(unit.first, "options", "url"), unit.block)
    flow.draft.report(
        unit.block, "Redirect", "the address as a text", "write what the link is for, or make it a button"
    )
    following = {"next": flow.following(unit)}
    if url.strip():
        flow.draft.add(unit.id, unit.block, {"type": "say", "parts": [{"text": url}], "ports": following})
    else:
        flow.draft.leave_out(unit.id, unit.block, following["next"])


def _wait(flow: Flow, unit: Unit) -> None:
    seconds = number(unit.first, "options", "secondsToWaitFor")
    if seconds is None or seconds < 1:
        flow.draft.report(unit.block, "Wait without a number of seconds", "1 second", "write how long")
    length = f"PT{min(LONGEST_DELAY, max(1, ceil(seconds or 1)))}S"
    flow.draft.add(unit.id, unit.block, {"type": "delay", "for": length, "ports": {"next": flow.following(unit)}})


def _jump(flow: Flow, unit: Unit) -> None:
    to = flow.unit_of(text(unit.first, "options", "groupId"), text(unit.first, "options", "blockId"))
    flow.draft.leave_out(unit.id, unit.block, to)


def _link(flow: Flow, unit: Unit) -> None:
    linked = text(unit.first, "options", "typebotId")
    if linked == "current":
        _jump(flow, unit)
        return
    name = slug(linked)
    to_do = "import that flow too, and write its slug here and in `params` what it needs"
    flow.draft.report(unit.block, f"link to {linked}", f"a call of the flow {name!r}", to_do)
    flow.draft.add(unit.id, unit.block, {"type": "call", "flow": name, "ports": {"next": flow.following(unit)}})


def _return(flow: Flow, unit: Unit) -> None:
    """The path ends, and what waited before the command goes on."""
    flow.draft.leave_out(unit.id, unit.block, None)


def _request(flow: Flow, unit: Unit) -> None:
    made = request(flow, unit.first)
    if made is None:
        flow.draft.leave_out(unit.id, unit.block, flow.following(unit))
        return
    following = flow.following(unit) or flow.draft.end
    flow.draft.add(unit.id, unit.block, {**made, "ports": {"ok": following, "error": following}})


def _live_chat(flow: Flow, unit: Unit) -> None:
    flow.draft.report(unit.block, "block Chatwoot", "a node `live_chat`", "connect the agents' program to the project")
    flow.draft.add(unit.id, unit.block, {"type": "live_chat", "ports": {"closed": flow.following(unit)}})


BUBBLES = frozenset(("text", "image", "video", "audio", "embed"))
INPUTS: dict[str, tuple[Callable[[Any], dict[str, Any]], str]] = {
    "text input": (lambda options: {"type": "text"}, "string"),
    "number input": (_number, "number"),
    "email input": (lambda options: {"type": "email"}, "string"),
    "url input": (lambda options: {"type": "url"}, "string"),
    "date input": (lambda options: {"type": "date"}, "string"),
    "time input": (lambda options: {"type": "time"}, "string"),
    "phone number input": (_phone, "string"),
    "rating input": (_rating, "number"),
    "file input": (lambda options: {"type": "file"}, "any"),
    "choice input": (lambda options: {}, "string"),
    "picture choice input": (lambda options: {}, "string"),
}
NOT_ASKED = (
    ("hasTime", "ask for the time by a second question"),
    ("isRange", "ask for the end by a second question"),
    ("isMultipleAllowed", "ask for each file by itself"),
    ("attachments", "ask for a file by a question of its own"),
    ("audioClip", "ask for a file by a question of its own"),
)
NOT_CHOSEN = (
    ("isMultipleChoice", "one answer is taken: ask several times"),
    ("dynamicVariableId", "write the options, or ask for a text"),
    ("dynamicItems", "write the options, or ask for a text"),
)
BUILT: dict[str, Callable[[Flow, Unit], None]] = {
    **dict.fromkeys(BUBBLES, _say),
    **dict.fromkeys(INPUTS, _ask),
    "choice input": _choose,
    "picture choice input": _choose,
    "Set variable": _set,
    "Condition": _condition,
    "AB test": _split,
    "Redirect": _redirect,
    "Wait": _wait,
    "Jump": _jump,
    "Typebot link": _link,
    "Return": _return,
    "Webhook": _request,
    "HTTP request": _request,
    "Chatwoot": _live_chat,
}
_CALL = "register its service as an API call, and use `call_api`"
LEFT_OUT = {
    "Code": "scripts are not taken over: write a node `code`, or nothing if it was for the web page",
    "payment input": "make a link with `hook_url` or `call_api`, and wait for `paid` with `wait_event`",
    "Email": _CALL,
    "Google Sheets": _CALL,
    "OpenAI": _CALL,
    "Zapier": "use `send_webhook` with the address of the Zap",
    "Make.com": "use `send_webhook` with the address of the scenario",
    "Pabbly": "use `send_webhook` with the address of the workflow",
    "webhook": "use `wait_event`, and a trigger `webhook` or a generated URL",
    "Google Analytics": "nothing, or use `send_webhook`",
    "Pixel": "nothing: it was for the web page",
}
"""Type → what to do instead."""
