"""What API calls and endpoints send along that may be secret: the values of headers, of the URL's query, of parameters.

The registry seals them and leaves HIDDEN in their places; only the dispatcher opens them, to send. A value that is
`secret.<name>` is a reference to one of the project's secrets, which the dispatcher puts in.
"""

from __future__ import annotations

import heapq
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

import orjson

from contracts.registry import HIDDEN, ApiCall, Endpoint, Sealed
from servicekit.credentials.sealing import KeyRing, SealError

FIELD = "sealed"
CREDENTIAL_WORDS = (
    "authorization",
    "cookie",
    "token",
    "secret",
    "api-key",
    "apikey",
    "api_key",
    "password",
    "signature",
)
SHORTEST_LOOKED_FOR = 12
"""Characters of a value that is looked for in answers whatever it is called: shorter ones are words of any answer."""
SHORTEST_CREDENTIAL = 4
"""The same of one that is a credential by its name."""
_REFERENCE = re.compile(r"secret\.([A-Za-z_][A-Za-z0-9_-]{0,63})")
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")
"""The same everywhere."""
MOST_LOOKED_FOR = 100
"""Each is looked for in each text of an answer, in a process that everybody shares."""
MOST_TEXTS = 1000
LONGEST_NAME = 200
Sender: TypeAlias = ApiCall | Endpoint


class SentValues(NamedTuple):
    """The values in the clear. `url` is complete; parameters only API calls have.

    `secrets` are the texts among them that must not come back in what is kept of an answer, `references` the names of the
    secrets that still have to be put in.
    """

    url: str
    headers: Mapping[str, str]
    params: Mapping[str, Any]
    secrets: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


def references(entity: Sender) -> list[tuple[str, str]]:
    """(field, name) of each value that is a `secret.<name>`; those are not hidden."""
    params = entity.params if isinstance(entity, ApiCall) else {}
    named: list[tuple[str, Any]] = [("headers", value) for value in entity.headers.values()]
    named += [("params", value) for value in params.values()]
    named += [("url", value) for _, value in raw_pairs(entity.url)]
    return [(field, name) for field, value in named if (name := _referred(value)) is not None]


def with_secrets(values: SentValues, secret_of: Callable[[str], str]) -> SentValues:
    """The values with the secrets that they refer to in their places. What `secret_of` raises passes through."""
    known = {name: secret_of(name) for name in values.references}

    def put(value: Any) -> Any:
        name = _referred(value)
        return value if name is None else known[name]

    query = "&".join(
        name if value is None else f"{name}={value if _referred(value) is None else quote_plus(put(value))}"
        for name, value in raw_pairs(values.url)
    )
    headers, params = ({name: put(value) for name, value in part.items()} for part in (values.headers, values.params))
    return SentValues(with_query(values.url, query), headers, params, (*known.values(), *values.secrets))


def sent_values(keys: KeyRing, entity: Sender) -> SentValues:
    """The values of an entity, whether they are sealed or not. Raises SealError when their key is not here, or they are gone."""
    params = entity.params if isinstance(entity, ApiCall) else {}
    if entity.sealed is None:
        return _in_the_clear(_values(entity.url, entity.headers, params), entity)
    plain = keys.open_sealed(entity.sealed, project=entity.project_id, entity=entity.id, field=FIELD)
    opened = orjson.loads(plain)
    url = with_query(entity.url, opened["query"])
    return _values(url, opened["headers"], opened.get("params", {}))


def _in_the_clear(values: SentValues, entity: Sender) -> SentValues:
    """A registry of an earlier release that changes an entity keeps HIDDEN, and loses what it stands for."""
    shown = (*values.headers.values(), *values.params.values(), *(value for _, value in _pairs(values.url)))
    if HIDDEN in shown:
        raise SealError(f"{entity.id}: {FIELD} is gone")
    return values


def sealed_values(keys: KeyRing, entity: Sender, after: Sealed | None) -> Mapping[str, Any]:
    """The fields of an entity whose values are in the clear, with the values sealed and hidden; `after`: what they replace."""
    params = entity.params if isinstance(entity, ApiCall) else {}
    query = urlsplit(entity.url).query
    if not (query or entity.headers or params):
        return {"sealed": None}
    plain = orjson.dumps({"headers": entity.headers, "query": query, "params": params})
    sealed = keys.seal(plain, project=entity.project_id, entity=entity.id, field=FIELD, after=after)
    headers = {name: _hidden(value) for name, value in entity.headers.items()}
    hidden = {"url": hidden_query(entity.url), "headers": headers, "sealed": sealed}
    return hidden | ({"params": {name: _hidden(value) for name, value in params.items()}} if params else {})


def hidden_query(url: str) -> str:
    """The URL with HIDDEN for each value of its query that is no reference."""
    hidden = (f"{name}={_hidden(value)}" if value is not None else HIDDEN for name, value in raw_pairs(url))
    return with_query(url, "&".join(hidden))


def with_query(url: str, query: str) -> str:
    """The URL with this query in place of its own."""
    before, sharp, fragment = url.partition("#")
    path = before.partition("?")[0]
    return path + (f"?{query}" if query else "") + sharp + fragment


def raw_pairs(url: str) -> list[tuple[str, str | None]]:
    """The parts of the query as they stand there; None: a part without `=`."""
    parts = [part.partition("=") for part in urlsplit(url).query.split("&") if part]
    return [(name, value if equals else None) for name, equals, value in parts]


def _values(url: str, headers: Mapping[str, str], params: Mapping[str, Any]) -> SentValues:
    named = [*headers.items(), *params.items(), *_decoded(url), *_pairs(url)]
    referred = filter(None, (_referred(value) for _, value in named))
    return SentValues(url, headers, params, _secrets(url, headers, params), tuple(dict.fromkeys(referred)))


def _secrets(url: str, headers: Mapping[str, str], params: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts that must not come back in what is kept of an answer, the longest first.

    At most MOST_LOOKED_FOR: credentials by their name, then long ones.
    """
    written = [*_texts(headers), *_decoded(url), *islice(_texts(params), MOST_TEXTS)]
    forms = [*_pairs(url), *((name, form) for name, value in written for form in _forms(name, value))]
    texts = ((name, form) for name, form in forms if _referred(form) is None and _telling(name, form))
    telling = dict(sorted({(form, _is_credential(name)) for name, form in texts}))
    chosen = heapq.nsmallest(MOST_LOOKED_FOR, telling, key=lambda text: (not telling[text], -len(text)))
    return tuple(sorted(chosen, key=lambda text: (-len(text), text)))


def _referred(value: Any) -> str | None:
    """The name behind `secret.`, where the value is that and nothing else."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return found.group(1) if found else None


def _hidden(value: Any) -> str:
    return HIDDEN if _referred(value) is None else str(value)


def _pairs(url: str) -> list[tuple[str, str]]:
    return [(name, value) if value is not None else ("", name) for name, value in raw_pairs(url)]


def _decoded(url: str) -> list[tuple[str, str]]:
    return [(name, unquote_plus(value)) for name, value in _pairs(url)]


def _texts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts of a JSON object, however deep, each with the names that lead to it; those of its own fields first."""
    waiting: deque[tuple[str, Any]] = deque(values.items())
    while waiting:
        name, value = waiting.popleft()
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, Mapping):
            waiting.extend((f"{name[-LONGEST_NAME:]} {key}", item) for key, item in value.items())
        elif isinstance(value, list | tuple):
            waiting.extend((name, item) for item in value)


def _forms(name: str, value: str) -> Iterator[str]:
    """A value as it is, without the word before it (`Bearer`), and as queries and JSON have it."""
    rest = value.partition(" ")[2]
    for form in (value, rest) if rest and _is_credential(name) else (value,):
        yield form
        if not _PLAIN.fullmatch(form):
            yield from (quote_plus(form), quote(form, safe=""))
            yield from (json.dumps(form, ensure_ascii=ascii)[1:-1] for ascii in (True, False))


def _is_credential(name: str) -> bool:
    lower = name.lower()
    return any(word in lower for word in CREDENTIAL_WORDS)


def _telling(name: str, value: str) -> bool:
    return len(value) >= (SHORTEST_CREDENTIAL if _is_credential(name) else SHORTEST_LOOKED_FOR)
