"""The secrets that API calls, endpoints and flows name, each bound to the hosts that it goes to.

The first that names a secret says where it goes; later only who knows its value may. So it is not had by who may define
API calls, endpoints or flows, and does not know it.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.registry import ApiCall, Endpoint, Secret, in_project
from contracts.web_url import origin_of
from registry import errors
from registry.store import postgres_entities
from registry.writing.unit import Unit
from servicekit.credentials.sent_values import references


async def of_sender(unit: Unit, entity: ApiCall | Endpoint) -> list[Secret]:
    """The secrets that it names, which may be sent to its host from now on. Raises ProblemError 422."""
    named = {name: f"/{field}" for field, name in references(entity)}
    if isinstance(entity, ApiCall) and entity.auth_secret is not None:
        named[entity.auth_secret] = "/auth"
    host = origin_of(entity.url)
    return [await _bound(unit, name, pointer, host) for name, pointer in sorted(named.items())]


async def of_flow(unit: Unit, sent: Iterable[tuple[str, str]]) -> list[Secret]:
    """The secrets that a flow sends, (name, host), each of which may be sent there from now on. Raises ProblemError 422."""
    return [await _bound(unit, name, "/document", host) for name, host in sorted(sent)]


async def as_it_was(unit: Unit, call: ApiCall) -> None:
    """Before a call is changed or deleted: a secret that an earlier release kept, and that this call names, goes where it
    went so far, also when no call names it any more."""
    if call.auth_secret is None:
        return
    secret = await postgres_entities.find_unique(unit.connection, Secret, in_project(unit.project, call.auth_secret))
    if secret is not None and not secret.entity.hosts:
        await _bound(unit, call.auth_secret, "/auth", origin_of(call.url))


async def _bound(unit: Unit, name: str, pointer: str, host: str) -> Secret:
    found = await postgres_entities.find_unique(unit.connection, Secret, in_project(unit.project, name))
    if found is None:
        raise errors.invalid(pointer, f"There is no secret {name!r} in this project.")
    stored = await unit.load(Secret, found.id, lock="FOR UPDATE")
    secret = stored.entity
    hosts = set(secret.hosts) or await _hosts_so_far(unit, secret)
    if hosts and host not in hosts:
        where = ", ".join(sorted(hosts))
        detail = f"The secret {name!r} goes to {where} only: write it again with the hosts that it is for."
        raise errors.invalid(pointer, detail)
    if host in secret.hosts:
        return secret
    bound = secret.model_copy(update={"hosts": tuple(sorted({*hosts, host}))})
    return (await unit.save(bound, extra=stored.extra)).entity


async def _hosts_so_far(unit: Unit, secret: Secret) -> set[str]:
    """Of a secret that an earlier release kept: where the API calls go that name it."""
    using = await postgres_entities.matching(unit.connection, ApiCall, unit.project, {"auth_secret": secret.name})
    return {origin_of(one.entity.url) for one in using}
