"""What waits for an operator: dead letters and held conversations, counted over the API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from operations.api import Api, items
from operations.errors import CommandError, said
from operations.installation import Installation
from operations.report import Check

MOST = 1000
"""More than so many are not counted."""
LISTS = {"dead letters": ("registry", "/v1/dlq", "dlq"), "held conversations": ("flow-engine", "/v1/held", "held")}
"""What -> who has it, its path, and the verb that is about it."""


async def waiting_checks(here: Installation) -> AsyncIterator[Check]:
    """How many there are of each; nothing where services or token are not known."""
    for what, (service, path, verb) in LISTS.items():
        url = here.url_of(service)
        if not (url and here.token):
            yield Check(f"{what} were not counted: {here.how}", fine=True)
            continue
        try:
            count = await _count(Api(url, here.token), f"{path}?limit=200")
        except (httpx.HTTPError, CommandError) as error:
            why = said(error) if isinstance(error, CommandError) else f"{service} does not answer ({said(error)})"
            yield Check(f"{what} could not be counted", False, why)
            continue
        there = f"{count} or more" if count == MOST else str(count)
        advice = f"`{here.command} {verb} list` names them; docs/how-to/dead-letters.md has the way out"
        yield Check(f"{what}: {there}", not count, advice)


async def _count(api: Api, path: str) -> int:
    count = 0
    async with api:
        async for _ in items(api, path):
            count += 1
            if count == MOST:
                break
    return count
