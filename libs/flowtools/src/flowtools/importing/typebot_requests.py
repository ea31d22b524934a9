"""Typebot's HTTP requests. Secrets that stand in an export are not copied: the request names one instead."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import orjson

from contracts.header_names import MOST_HEADERS
from flowtools.importing.draft import identifier
from flowtools.importing.exports import at, objects, text
from flowtools.importing.typebot_flow import Flow

DEEPEST = 20
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#].*)?", re.DOTALL)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_OWN_HEADERS = frozenset(("content-type", "content-length", "host", "connection"))
_SECRET = re.compile(
    r"auth|api.?key|token|secret|password|passwd|cookie|credential|signature|^key$|^sig$", re.IGNORECASE
)
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]{1,4}\])*")


def request(flow: Flow, block: dict[str, Any]) -> dict[str, Any] | None:
    """The node without its ports; None where there is nothing that could be asked."""
    id, options = text(block, "id"), at(block, "options")
    asked = at(options, "webhook")
    url, method = text(asked, "url").strip(), text(asked, "method") or "POST"
    if not _URL.fullmatch(url) or method not in _METHODS:
        to_do = "write an `http_request` with scheme and host as they are, or use `call_api`"
        flow.draft.report(id, f"request {method} without an address that is written out", "left out", to_do)
        return None
    node: dict[str, Any] = {"type": "http_request", "method": method, "url": _url(flow, url, id)}
    if query := _pairs(flow, asked, "queryParams", id):
        node["query"] = query
    if headers := _headers(flow, asked, id):
        node["headers"] = headers
    if method != "GET" and (body := _body(flow, options, asked, id)) is not None:
        node["json"] = body
    if save := _saved(flow, options, id):
        node["save"] = save
    return node


def _url(flow: Flow, url: str, block: str) -> str:
    if any(_SECRET.search(pair.partition("=")[0]) for pair in urlsplit(url).query.split("&")):
        _report_secret(flow, block, "the query of the address")
        url = url.partition("?")[0]
    return flow.template(url, block)


def _pairs(flow: Flow, asked: Any, list_name: str, block: str) -> dict[str, str]:
    made = {}
    for pair in list(objects(asked, list_name))[:50]:
        name = text(pair, "key")
        if name and _SECRET.search(name):
            _report_secret(flow, block, f"the value of {name}")
        elif name:
            made[name] = flow.template(text(pair, "value"), block)
    return made


def _headers(flow: Flow, asked: Any, block: str) -> dict[str, str]:
    made: dict[str, str] = {}
    for pair in list(objects(asked, "headers"))[:MOST_HEADERS]:
        name, value = text(pair, "key").strip(), text(pair, "value")
        if name.lower() in _OWN_HEADERS or name.lower() in map(str.lower, made):
            continue
        if not _HEADER.fullmatch(name):
            flow.draft.report(block, f"header {name}", "left out", "write it if it is needed")
        elif _SECRET.search(name):
            secret = identifier(name, "secret").lower()
            flow.draft.report(block, f"value of the header {name}", f"secret.{secret}", "keep the value as this secret")
            made[name] = f"secret.{secret}"
        elif (shown := flow.template(" ".join(value.split()), block)).startswith("secret."):
            what, instead = f"value of the header {name}", "left out: here it would name a secret of yours"
            flow.draft.report(block, what, instead, "write the header if that secret is to go there")
        else:
            made[name] = shown
    return made


def _report_secret(flow: Flow, block: str, what: str) -> None:
    to_do = "keep it as a secret, and send it in a header, or use `call_api`"
    flow.draft.report(block, what, "left out: it may be a secret", to_do)


def _body(flow: Flow, options: Any, asked: Any, block: str) -> Any:
    source = text(asked, "body")
    if not source or at(options, "isCustomBody") is not True:
        flow.draft.report(block, "the body, which was all answers", "left out", "write as `json` what is to be sent")
        return None
    try:
        return _valued(flow, orjson.loads(source), block, DEEPEST)
    except (orjson.JSONDecodeError, ValueError):
        to_do = "write it as `json`; merge tags stand in texts, `{cel: …}` keeps the type"
        flow.draft.report(block, "a body that is no plain JSON before its tags are filled in", "left out", to_do)
        return None


def _valued(flow: Flow, value: Any, block: str, depth: int) -> Any:
    if depth == 0:
        raise ValueError("too deep")
    if isinstance(value, list):
        return [_valued(flow, one, block, depth - 1) for one in value]
    if isinstance(value, dict):
        if "cel" in value:
            raise ValueError("here this would be an expression")
        for name in filter(_SECRET.search, value):
            _report_secret(flow, block, f"the value of {name}")
        return {name: _valued(flow, one, block, depth - 1) for name, one in value.items() if not _SECRET.search(name)}
    return flow.template(value, block) if isinstance(value, str) else value


def _saved(flow: Flow, options: Any, block: str) -> dict[str, str]:
    """Typebot's paths begin with `data`, where the answer stands."""
    made = {}
    for one in list(objects(options, "responseVariableMapping"))[:50]:
        place, path = flow.place(text(one, "variableId")), text(one, "bodyPath")
        inner = "@" if path == "data" else path.removeprefix("data.")
        if place and (inner == "@" or _PATH.fullmatch(inner)) and not path.startswith("statusCode"):
            made[place] = inner
        else:
            flow.draft.report(block, f"value {path} of the answer", "left out", "write it in `save`, as JMESPath")
    return made
