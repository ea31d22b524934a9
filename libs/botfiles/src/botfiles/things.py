"""One thing of a project, in a folder or in the registry, and how two of them are compared. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from botfiles.kinds import API_CALL, BOT, ENDPOINT, FLOW, Content, Kind
from contracts.registry import HIDDEN

CONTENT, DRAFT, PUBLISHED = "content", "draft", "published"
"""The parts of a thing: a flow has the latter two, which are saved one after the other; all others the first."""
SECRET = re.compile(r"secret\.([A-Za-z_][A-Za-z0-9_-]{0,63})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file says. `name` is unique in its kind; of what belongs to a bot, `<bot>/<name>`. `path`: below the folder."""

    kind: Kind
    name: str
    path: str
    content: Content

    @property
    def parts(self) -> Mapping[str, Any]:
        """Part -> what it should be."""
        if self.kind is FLOW:
            return {DRAFT: self.content, PUBLISHED: as_published(self.content)}
        return {CONTENT: self.content}

    @property
    def bot(self) -> str:
        """The name of the bot that it belongs to, or is."""
        return self.name if self.kind is BOT else self.name.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Found:
    """What the project has. `etags`: part -> what a change of it has to name."""

    kind: Kind
    name: str
    id: str
    parts: Mapping[str, Any]
    etags: Mapping[str, str]

    @property
    def content(self) -> Content:
        """What its file says."""
        content: Content = self.parts[DRAFT if self.kind is FLOW else CONTENT]
        return content


def as_published(document: Content) -> Content:
    """A document as its published version has it: without test cases."""
    return {name: value for name, value in document.items() if name != "tests"}


def entry_of(bot: str, content: Content) -> tuple[str, Any, Any]:
    """The way into a flow that a trigger opens."""
    return bot, content["flow"], content["entry"]


def digest(value: Any) -> str:
    """The same for equal JSON values."""
    return sha256(orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shown(kind: Kind, content: Any) -> Any:
    """As the registry shows it: HIDDEN for each value that is sent along and is no `secret.<name>`."""
    if kind not in (API_CALL, ENDPOINT) or content is None:
        return content
    hidden = {name: _hidden_values(content[name]) for name in ("headers", "params") if name in content}
    return content | hidden | {"url": _hidden_query(content["url"])}


def secrets_of(kind: Kind, content: Content) -> set[str]:
    """Names of the secrets that it refers to; flows are left to their check on publish."""
    if kind not in (API_CALL, ENDPOINT):
        return set()
    query = content["url"].partition("?")[2].partition("#")[0]
    values = [*content["headers"].values(), *content.get("params", {}).values(), content.get("auth")]
    values += [part.partition("=")[2] for part in query.split("&")]
    found = (SECRET.fullmatch(value) for value in values if isinstance(value, str))
    return {each.group(1) for each in found if each}


def is_hidden(content: Content) -> bool:
    """Whether it has a value that only the registry knows."""
    values = [*content.get("headers", {}).values(), *content.get("params", {}).values()]
    return HIDDEN in values or HIDDEN in str(content.get("url", ""))


def _hidden_values(values: Mapping[str, Any]) -> Content:
    return {name: _hidden(value) for name, value in values.items()}


def _hidden(value: Any) -> Any:
    return value if isinstance(value, str) and SECRET.fullmatch(value) else HIDDEN


def _hidden_query(url: str) -> str:
    before, mark, rest = url.partition("?")
    query, hash, fragment = rest.partition("#")
    parts = (part.partition("=") for part in query.split("&") if part)
    hidden = "&".join(f"{name}={_hidden(value)}" if equals else HIDDEN for name, equals, value in parts)
    return f"{before}{mark}{hidden}{hash}{fragment}"


def differences(mine: Any, theirs: Any) -> list[str]:
    """Where two contents differ: `filter`, `nodes/ask`; at most two levels deep."""
    if not (isinstance(mine, dict) and isinstance(theirs, dict)):
        return [] if mine == theirs else ["all"]
    names = [name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]
    return [where for name in names for where in _below(name, mine.get(name), theirs.get(name))]


def _below(name: str, mine: Any, theirs: Any) -> list[str]:
    if not (isinstance(mine, dict) and isinstance(theirs, dict)):
        return [name]
    return [f"{name}/{each}" for each in sorted({*mine, *theirs}) if mine.get(each) != theirs.get(each)]
