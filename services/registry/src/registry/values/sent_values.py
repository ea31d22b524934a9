"""The values that API calls and endpoints send along: taken as they are written, kept as they were, sealed.

Who reads an entity sees HIDDEN for each, and may write it back: then the value stays. But to another host none goes that
was not written for it: who may change a URL would otherwise have the values sent to himself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

from contracts.registry import HIDDEN, ApiCall, Endpoint
from contracts.web_url import origin_of
from registry import errors
from registry.site import Site
from servicekit.credentials.sealing import SealError
from servicekit.credentials.sent_values import SentValues, raw_pairs, sealed_values, sent_values, with_query

E = TypeVar("E", ApiCall, Endpoint)
FIELDS = ("headers", "params")
NOTHING = SentValues("", {}, {})
ANOTHER_HOST = "The URL names another host, where the values of {field} for the old one are not sent"
LOST = "What the values of {field} were sealed with is not here any more"


def new(site: Site, entity: E) -> E:
    """An entity as it was written, sealed. Raises ProblemError 422 where HIDDEN stands for a value."""
    return _sealed(site, entity, NOTHING, None)


def changed(site: Site, before: E, given: Mapping[str, Any]) -> E:
    """The entity with what was given, sealed.

    Raises ProblemError 422, also where values would go to another host, and where they cannot be opened any more.
    """
    after = type(before).model_validate({**before.model_dump(), **given})
    if before.sealed is not None and given.keys().isdisjoint(("url", *FIELDS)):
        return after
    known = _known(site, before)
    if known is None:
        _refuse_without(before, {"url": before.url, **given}, LOST)
    elif "url" in given and origin_of(before.url) != origin_of(after.url):
        _refuse_without(before, given, ANOTHER_HOST)
        known = None
    known, url = (NOTHING, after.url) if known is None else (known, after.url if "url" in given else known.url)
    kept = {name: getattr(known, name) for name in _fields(before) if name not in given}
    return _sealed(site, after.model_copy(update={**kept, "url": url}), known, before)


def _known(site: Site, entity: ApiCall | Endpoint) -> SentValues | None:
    """The values that it has; None where they cannot be opened any more."""
    try:
        return sent_values(site.keys, entity)
    except SealError:
        return None


def _sealed(site: Site, entity: E, known: SentValues, before: E | None) -> E:
    """`entity` has its values in the clear, or HIDDEN for one that is as in `known`."""
    plain = entity.model_copy(
        update={
            "url": _with_known_query(entity.url, known.url),
            **{name: _with_known(name, getattr(entity, name), getattr(known, name)) for name in _fields(entity)},
        }
    )
    return plain.model_copy(update=sealed_values(site.keys, plain, before.sealed if before else None))


def _fields(entity: ApiCall | Endpoint) -> Iterator[str]:
    return (name for name in FIELDS if name in type(entity).model_fields)


def _with_known(field: str, written: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in written.items():
        if value == HIDDEN and name not in known:
            raise _unknown(f"/{field}/{name}", name)
    return {name: known[name] if value == HIDDEN else value for name, value in written.items()}


def _with_known_query(url: str, known_url: str) -> str:
    """The n-th HIDDEN under a name is the n-th value under that name."""
    known: dict[str | None, list[str]] = {}
    for name, value in raw_pairs(known_url):
        known.setdefault(name if value is not None else None, []).append(name if value is None else value)
    return with_query(url, "&".join(_written(pair, known) for pair in raw_pairs(url)))


def _written(pair: tuple[str, str | None], known: dict[str | None, list[str]]) -> str:
    name, value = pair
    values = known.get(name if value is not None else None, [])
    before = values.pop(0) if values else None
    if not _is_hidden(name if value is None else value):
        return name if value is None else f"{name}={value}"
    if before is None:
        raise _unknown("/url", name)
    return before if value is None else f"{name}={before}"


def _refuse_without(before: ApiCall | Endpoint, given: Mapping[str, Any], why: str) -> None:
    """Raises ProblemError 422 unless each value that it had is written anew, or left out."""
    for name in _fields(before):
        if getattr(before, name) and (name not in given or HIDDEN in given[name].values()):
            raise _asked_again(name, why)
    if any(_is_hidden(name if value is None else value) for name, value in raw_pairs(given["url"])):
        raise _asked_again("url", why)


def _is_hidden(text: str) -> bool:
    return unquote(text) == HIDDEN


def _asked_again(field: str, why: str) -> Exception:
    return errors.invalid(f"/{field}", f"{why.format(field=field)}: write the values of {field} again.")


def _unknown(pointer: str, name: str) -> Exception:
    return errors.invalid(
        pointer, f"{HIDDEN} stands for a value that is known, and there is none for {name!r}: write it."
    )
