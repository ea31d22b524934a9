"""What fields of requests have in common."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from contracts.cloudevents import rfc3339
from contracts.event_types import offered
from contracts.header_names import MOST_HEADERS, header_name
from contracts.web_url import climbs, web_url
from servicekit.storable import in_utc


class Input(BaseModel):
    """A body: what it does not know, it refuses by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def given(self) -> dict[str, object]:
        """The fields that the caller sent; a null counts as sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _refuse_merge_tags(text: str) -> None:
    if "{{" in text or "{%" in text:
        raise ValueError("merge tags are not filled in here: give the value in the flow, as a parameter of its step")


def http_url(text: str) -> str:
    """A URL that requests may go to: contracts.web_url, no `..` in its path, no merge tags. Raises ValueError."""
    _refuse_merge_tags(text)
    if climbs(text):
        raise ValueError("no .. in a path, encoded or not: write the path that is meant")
    return web_url(text)


def base_url(text: str) -> str:
    """A URL that paths are added to. Raises ValueError for one with a query or fragment."""
    if "?" in text or "#" in text:
        raise ValueError("paths are added to it: no query and no fragment")
    return text


def _cidr(text: str) -> str:
    return str(ip_network(text, strict=False))


def _headers(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > MOST_HEADERS:
        raise ValueError(f"at most {MOST_HEADERS} headers")
    for name, value in headers.items():
        header_name(name)
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise ValueError(f"{name}: no control characters in a header")
        _refuse_merge_tags(value)
    return headers


def _params(params: dict[str, Any]) -> dict[str, Any]:
    waiting: list[Any] = [params]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            _refuse_merge_tags(value)
        elif isinstance(value, dict | list):
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return params


def _origin(url: str) -> str:
    """As browsers name it: scheme, host and port. Raises ValueError for a page of the site."""
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("names a site, not a page of it: https://shop.example")
    return f"{parts.scheme}://{parts.netloc}".lower()


def event_types(choices: tuple[str, ...]) -> tuple[str, ...]:
    """The types that are meant: a group such as `flag.*` in full, `*` as it is. Raises ValueError for an unknown one."""
    return tuple(dict.fromkeys(kind for choice in choices for kind in _types_of(choice)))


def _types_of(choice: str) -> tuple[str, ...]:
    if choice == "*":
        return ("*",)
    group = choice[:-1] if choice.endswith(".*") else None
    found = tuple(kind for kind in offered() if kind == choice or (group and kind.startswith(group)))
    if not found:
        raise ValueError(f"no event {choice!r}; there are *, groups such as flag.*, and {', '.join(offered())}")
    return found


def _later(moment: datetime) -> str:
    if moment <= datetime.now(UTC):
        raise ValueError("lies in the past")
    return rfc3339(in_utc(moment))


def _secret_name(text: object) -> object:
    """`auth` reads `secret.<name>`, as in flow documents."""
    if isinstance(text, str) and text.startswith("secret."):
        return text.removeprefix("secret.")
    raise ValueError("name a secret: secret.<name>")


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
"""A name that flow documents write: of an API call, of a secret."""
ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
Origin = Annotated[HttpUrl, AfterValidator(_origin)]
BaseUrl = Annotated[HttpUrl, AfterValidator(base_url)]
Cidr = Annotated[str, AfterValidator(_cidr)]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]
Params = Annotated[dict[str, Any], AfterValidator(_params)]
"""Parameters that each call has, as they are."""
EventTypes = Annotated[tuple[str, ...], Field(min_length=1, max_length=100), AfterValidator(event_types)]
FutureTime = Annotated[AwareDatetime, AfterValidator(_later)]
"""Arrives as RFC 3339 with an offset, and is a string in UTC from then on."""
SecretRef = Annotated[Identifier, BeforeValidator(_secret_name)]
