"""What API calls and endpoints send along that may be secret: the values of headers, of the URL's query, of parameters.

The registry seals them and leaves HIDDEN in their places; only the dispatcher opens them, to send.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote_plus, urlsplit

import orjson

from contracts.registry import HIDDEN, ApiCall, Endpoint, Sealed
from servicekit.credentials.sealing import KeyRing

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
Sender: TypeAlias = ApiCall | Endpoint


class SentValues(NamedTuple):
    """The values in the clear. `url` is complete; parameters only API calls have."""

    url: str
    headers: Mapping[str, str]
    params: Mapping[str, Any]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must not come back in what is kept of an answer."""
        named = [*self.headers.items(), *self.params.items(), *_decoded(self.url), *_pairs(self.url)]
        return tuple(dict.fromkeys(value for name, value in named if isinstance(value, str) and _telling(name, value)))


def sent_values(keys: KeyRing, entity: Sender) -> SentValues:
    """The values of an entity, whether they are sealed or not. Raises SealError when their key is not here."""
    params = entity.params if isinstance(entity, ApiCall) else {}
    if entity.sealed is None:
        return SentValues(entity.url, entity.headers, params)
    plain = keys.open_sealed(entity.sealed, project=entity.project_id, entity=entity.id, field=FIELD)
    opened = orjson.loads(plain)
    url = with_query(entity.url, opened["query"])
    return SentValues(url, opened["headers"], opened.get("params", {}))


def sealed_values(keys: KeyRing, entity: Sender, after: Sealed | None) -> Mapping[str, Any]:
    """The fields of an entity whose values are in the clear, with the values sealed and hidden; `after`: what they replace."""
    params = entity.params if isinstance(entity, ApiCall) else {}
    query = urlsplit(entity.url).query
    if not (query or entity.headers or params):
        return {"sealed": None}
    plain = orjson.dumps({"headers": entity.headers, "query": query, "params": params})
    sealed = keys.seal(plain, project=entity.project_id, entity=entity.id, field=FIELD, after=after)
    hidden = {"url": hidden_query(entity.url), "headers": dict.fromkeys(entity.headers, HIDDEN), "sealed": sealed}
    return hidden | ({"params": dict.fromkeys(params, HIDDEN)} if params else {})


def hidden_query(url: str) -> str:
    """The URL with HIDDEN for each value of its query."""
    hidden = (f"{name}={HIDDEN}" if value is not None else HIDDEN for name, value in raw_pairs(url))
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


def _pairs(url: str) -> list[tuple[str, str]]:
    return [(name, value) if value is not None else ("", name) for name, value in raw_pairs(url)]


def _decoded(url: str) -> list[tuple[str, str]]:
    return [(name, unquote_plus(value)) for name, value in _pairs(url)]


def _telling(name: str, value: str) -> bool:
    lower = name.lower()
    credential = any(word in lower for word in CREDENTIAL_WORDS)
    return len(value) >= (SHORTEST_CREDENTIAL if credential else SHORTEST_LOOKED_FOR)
