"""Botpress 12: a flow (`flows/*.flow.json`), with the content and the skills of its bot beside it.

A node says what `onEnter` names; where it has `onReceive` it waits for a message; then the first transition that holds is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

import orjson

from flowtools.importing.botpress_conditions import TRUE, condition, place_of
from flowtools.importing.draft import LONGEST_TITLE, Draft, slug
from flowtools.importing.exports import NotImported, at, number, objects, text
from flowtools.importing.texts import template

MOST_PARTS = 10
MOST_OPTIONS = 40
_SAY = re.compile(r"say #!([A-Za-z0-9_-]{1,128})(?:\s.*)?", re.DOTALL)
_ACTION = re.compile(r"(\S{1,200})(?:\s+(\{.*\}))?\s*", re.DOTALL)
_TAG = re.compile(r"\{\{\{?([^{}]{1,200})\}?\}\}")
_ANSWER = re.compile(r"\{\{\{?\s*event\.(?:payload\.text|preview)\s*\}?\}\}")
_OPTION_NUMBER = re.compile(r"option-[0-9]+")
_OPTION_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_CHOSEN = re.compile(r"""temp\['skill-choice-ret-?(?P<id>[\w-]*)'\]\s*===?\s*(?P<value>"(?:[^"\\]|\\.)*")""")
SKILLS = "skills that are not `choice` are not taken over: build it of nodes that there are"


def imported(export: dict[str, Any], beside: Mapping[str, Any], name: str) -> tuple[dict[str, Any], Draft]:
    """(flow document, what was reported). `beside`: the other files of the bot, parsed, by their path in its folder. Raises NotImported."""
    flow = _Flow(export, beside, name)
    return flow.document(), flow.draft


class _Flow:
    def __init__(self, export: dict[str, Any], beside: Mapping[str, Any], name: str) -> None:
        self._nodes = [node for node in objects(export, "nodes") if text(node, "name")]
        if not self._nodes:
            raise NotImported("there are no nodes with a name in it: is it a flow.json of Botpress 12?")
        self.draft = Draft(name)
        self._export = export
        self._skills = {path: value for path, value in beside.items() if path.startswith("flows/")}
        contents = (one for path, file in beside.items() if path.startswith("content-elements/") for one in _list(file))
        self._contents = {text(one, "id"): at(one, "formData") for one in contents}
        self._ids: dict[str, str] = {}
        for node in self._nodes:
            self._ids.setdefault(text(node, "name"), self.draft.new_id(text(node, "name")))

    def document(self) -> dict[str, Any]:
        """The flow. Raises NotImported."""
        seen = set()
        for node in self._nodes:
            if text(node, "name") in seen:
                self.draft.report(_block(node), "second node of one name", "left out", "rename it before you export")
                continue
            seen.add(text(node, "name"))
            self._build(node, self._ids[text(node, "name")])
        for transition in objects(self._export, "catchAll", "next"):
            what = f"transition of the whole flow: {text(transition, 'condition')}"
            self.draft.report("", what, "left out", "write a trigger that leads to its node")
        for action in _texts(at(self._export, "catchAll", "onReceive")):
            self.draft.report("", f"action of the whole flow: {action}", "left out", "do it where a node waits")
        start = self._ids.get(text(self._export, "startNode") or "entry")
        return self.draft.document(start)

    def _build(self, node: dict[str, Any], id: str) -> None:
        if text(node, "type") == "skill-call" or text(node, "skill"):
            self._skill(node, id)
            return
        steps = [self._step(action, _block(node)) for action in _texts(at(node, "onEnter"))]
        found = [step for step in steps if step is not None]
        waits = isinstance(at(node, "onReceive"), list) or text(node, "type") == "listen"
        if waits:
            self._wait(node, found)
        self._chain(node, id, _joined(found))

    def _wait(self, node: dict[str, Any], found: list[dict[str, Any]]) -> None:
        """The last message becomes a question; what keeps the answer says where."""
        block = _block(node)
        received = _texts(at(node, "onReceive"))
        question = found.pop()["text"] if found and "text" in found[-1] else None
        if question is None:
            self.draft.report(block, "a wait without a text before it", "the question '?'", "write the question")
        asked: dict[str, Any] = {"type": "text"}
        after = []
        for action in received:
            place = self._keeps_answer(action)
            if place and "save_to" not in asked:
                asked["save_to"] = place
            elif place:
                after.append({"set": {place: "{{ event.text }}"}})
            elif (step := self._step(action, block)) is not None:
                after.append(step)
        found += [{"ask": question or "?", "input": asked}, *after]

    def _chain(self, node: dict[str, Any], id: str, steps: list[dict[str, Any]]) -> None:
        """The steps as nodes, one after the other, the first of them `id`; the transitions behind them."""
        block = _block(node)
        ids = [id, *(self.draft.new_id(text(node, "name")) for _ in steps)]
        for this, following, step in zip(ids, ids[1:], steps, strict=False):
            if "parts" in step:
                made = {"type": "say", "parts": step["parts"], "ports": {"next": following}}
            elif "set" in step:
                made = {"type": "set", "values": step["set"], "ports": {"next": following}}
            else:
                made = {"type": "ask", "text": step["ask"], "input": step["input"], "ports": {"ok": following}}
            self.draft.add(this, block, made)
        self._leave(node, ids[-1])

    def _leave(self, node: dict[str, Any], id: str) -> None:
        block, branches, otherwise = _block(node), [], None
        for transition in objects(node, "next"):
            to, source = self._target(text(transition, "node"), block), text(transition, "condition")
            found = condition(source, self.draft.place)
            if found == TRUE:
                otherwise = to
                break
            if found is None:
                to_do = "write the branch as CEL; what a person means can be asked with keywords or the node `ai`"
                self.draft.report(block, f"transition: {source}", "left out", to_do)
            else:
                branches.append({"if": found, "to": to or self.draft.end})
        if branches:
            made = {"type": "condition", "branches": branches, **({"else": otherwise} if otherwise else {})}
            self.draft.add(id, block, made)
        else:
            self.draft.leave_out(id, block, otherwise)

    def _target(self, name: str, block: str) -> str | None:
        """The node of a name; a node `jump` for another flow; None for the end."""
        if name in self._ids:
            return self._ids[name]
        flow, _, _ = name.partition("#")
        if flow.endswith(".flow.json"):
            to = self.draft.new_id(f"to {flow.removesuffix('.flow.json')}")
            other = flow_slug(flow)
            to_do = "import that flow too; it does not come back from there"
            self.draft.report(block, f"transition to {name}", f"a jump to the flow {other!r}", to_do)
            self.draft.add(to, block, {"type": "jump", "flow": other})
            return to
        if name not in ("END", ""):
            what = "back to the flow that called" if name.startswith("#") else "to a node that is not there"
            self.draft.report(block, f"transition {what}: {name}", "the end", "draw where it goes on")
        return None

    def _step(self, action: str, block: str) -> dict[str, Any] | None:
        """{text} to say, {set}, or None for what is left out."""
        if said := _SAY.fullmatch(action):
            return self._said(said[1], block)
        called = _ACTION.fullmatch(action)
        name = called[1].rpartition("/")[2] if called else ""
        if name == "setVariable" and called:
            arguments = _object(called[2])
            place = self._place(text(arguments, "type"), text(arguments, "name"))
            if place:
                value = text(arguments, "value")
                return {"set": {place: None if value in ("null", "undefined", "") else self._template(value, block)}}
        what = f"action {called[1] if called else action}"
        self.draft.report(block, what, "left out", "write nodes, or a node `code`, that do it")
        return None

    def _said(self, content: str, block: str) -> dict[str, Any] | None:
        form = self._contents.get(content)
        shown = _shown(form, "text") or _shown(form, "image") or _shown(form, "title")
        if not shown.strip():
            to_do = "export the bot's content-elements too, or write the message"
            self.draft.report(block, f"content {content}", "left out", to_do)
            return None
        if not _shown(form, "text"):
            self.draft.report(
                block, f"content {content}", "its address or title as a text", "show it as the channel can"
            )
        if _of_language(form, "choices"):
            self.draft.report(block, f"choices of {content}", "left out", "ask with the choices as options")
        return {"text": self._template(shown, block)}

    def _keeps_answer(self, action: str) -> str | None:
        """The place to which the action writes what the person wrote."""
        called = _ACTION.fullmatch(action)
        if called is None or called[1].rpartition("/")[2] != "setVariable":
            return None
        arguments = _object(called[2])
        if not _ANSWER.fullmatch(text(arguments, "value").strip()):
            return None
        return self._place(text(arguments, "type"), text(arguments, "name"))

    def _place(self, scope: str, name: str) -> str | None:
        return place_of(scope, name, self.draft.place)

    def _skill(self, node: dict[str, Any], id: str) -> None:
        block = _block(node)
        data = at(self._skills.get(f"flows/{text(node, 'flow')}"), "skillData")
        form = self._contents.get(text(data, "contentId"))
        choices = list(objects(_of_language(form, "choices")))
        fallback = next((one for one in objects(node, "next") if text(one, "condition").strip() == TRUE), None)
        otherwise = self._target(text(fallback, "node"), block) if fallback else None
        if text(node, "skill") != "choice" or not choices:
            what = f"skill {text(node, 'skill')}" + ("" if choices else " without its content")
            self.draft.report(block, what, "left out", SKILLS)
            self.draft.leave_out(id, block, otherwise)
            return
        ways = {value: text(one, "node") for one in objects(node, "next") if (value := _chosen(text(one, "condition")))}
        if len(choices) > MOST_OPTIONS:
            self.draft.report(block, f"{len(choices)} choices", f"the first {MOST_OPTIONS}", "ask in two steps")
        values = [text(one, "value") for one in choices]
        once = {value for value, count in Counter(values).items() if count == 1 and not _OPTION_NUMBER.fullmatch(value)}
        numbered = enumerate(choices[:MOST_OPTIONS], 1)
        options = [self._option(one, index, data, ways, block, once) for index, one in numbered]
        for option, value in zip(options, values, strict=False):
            if option["id"] != value:
                what, instead = f"choice {value}", f"kept as {option['id']!r}"
                self.draft.report(block, what, instead, "compare with that where a condition asks for it")
        retries = number(data, "config", "nbMaxRetries")
        retry: dict[str, Any] = {"max": min(20, max(0, int(3 if retries is None else retries)))}
        if said := _shown(self._contents.get(text(data, "invalidContentId")), "text"):
            retry["text"] = self._template(said, block)
        question = self._template(_shown(form, "text"), block)
        made = {
            "type": "ask",
            "text": question if question.strip() else "?",
            "input": {"type": "choice", "options": options, **self._kept(node, data)},
            "retry": retry,
            "ports": {"ok": self.draft.end, "invalid": otherwise},
        }
        self.draft.add(id, block, made)

    def _kept(self, node: dict[str, Any], data: Any) -> dict[str, str]:
        """Where the chosen value is kept: under the name that Botpress has for it."""
        named = (_CHOSEN.fullmatch(text(one, "condition").strip()) for one in objects(node, "next"))
        suffix = text(data, "randomId") or next((found["id"] for found in named if found), "")
        place = self._place("temp", f"skill-choice-ret-{suffix}") if suffix else None
        if place is None:
            self.draft.report(_block(node), "the chosen value", "not kept", "write `save_to` where something reads it")
        return {"save_to": place} if place else {}

    def _option(
        self, choice: dict[str, Any], index: int, data: Any, ways: Mapping[str, str], block: str, once: Set[str]
    ) -> dict[str, Any]:
        value, title = text(choice, "value"), text(choice, "title")
        shown = self._template(title[:LONGEST_TITLE], block)
        synonyms = [word[:LONGEST_TITLE] for word in _texts(at(data, "keywords", value)) if word not in (title, "")]
        to = self._target(ways[value], block) or self.draft.end if value in ways else None
        return {
            "id": value if _OPTION_ID.fullmatch(value) and value in once else f"option-{index}",
            "title": shown if shown.strip() and len(shown) <= LONGEST_TITLE else f"Option {index}",
            **({"synonyms": synonyms} if synonyms else {}),
            **({"to": to} if to else {}),
        }

    def _template(self, source: str, block: str) -> str:
        def merge_tag(found: re.Match[str]) -> str:
            named = found[1].strip()
            if named in ("event.payload.text", "event.preview"):
                return "{{ event.text }}"
            scope, _, name = named.partition(".")
            place = self._place(scope, name)
            if place is None:
                self.draft.report(block, f"tag {found[0]}", "left out of the text", "write a merge tag in its place")
            return f"{{{{ {place} }}}}" if place else ""

        return template(source, _TAG, merge_tag)


def flow_slug(file: str) -> str:
    """The slug that a file's flow has here: `shop/order.flow.json` is `shop-order`."""
    return slug(file.removesuffix(".flow.json"))


def _joined(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps with texts that follow each other as one `say`."""
    joined: list[dict[str, Any]] = []
    for step in steps:
        if "text" not in step:
            joined.append(step)
        elif joined and "parts" in joined[-1] and len(joined[-1]["parts"]) < MOST_PARTS:
            joined[-1]["parts"].append({"text": step["text"]})
        elif step["text"].strip():
            joined.append({"parts": [{"text": step["text"]}]})
    return joined


def _chosen(source: str) -> str:
    """The choice that a transition of a `choice` is for."""
    found = _CHOSEN.fullmatch(source.strip())
    try:
        return text(orjson.loads(found["value"])) if found else ""
    except orjson.JSONDecodeError:
        return ""


def _shown(form: Any, name: str) -> str:
    return text(_of_language(form, name))


def _of_language(form: Any, name: str) -> Any:
    """A field of a content's form: in English, else in the first language that it has, else without a language."""
    if not isinstance(form, dict):
        return None
    named = sorted(key for key in form if key.startswith(f"{name}$"))
    return form.get(f"{name}$en") or next((form[key] for key in named if form[key]), None) or form.get(name)


def _block(node: dict[str, Any]) -> str:
    return text(node, "id") or text(node, "name")


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(source: str | None) -> Any:
    try:
        return orjson.loads(source or "{}")
    except orjson.JSONDecodeError:
        return None
