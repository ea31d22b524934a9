"""What a check of `doctor` says, and how the report is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from operations.errors import CommandError


@dataclass(frozen=True)
class Check:
    """One line of the report; `advice` says what to do when it is not fine."""

    what: str
    fine: bool
    advice: str = ""


async def told(checks: AsyncIterator[Check], tell: Callable[[str], None]) -> int:
    """Tell what is found, a line each, as it is found; the exit code: 1 if something needs attention."""
    wrong = False
    async for check in checks:
        mark, advice = ("ok  ", "") if check.fine else ("FIX ", f": {check.advice}")
        tell(f"{mark} {check.what}{advice}")
        wrong = wrong or not check.fine
    return int(wrong)


async def each(check: Callable[..., Check | Awaitable[Check]], *arguments: Any) -> AsyncIterator[Check]:
    """The one check that a function makes."""
    made = check(*arguments)
    yield await made if isawaitable(made) else made


async def by_itself(what: str, found: AsyncIterator[Check]) -> AsyncIterator[Check]:
    """These checks; what goes wrong with them is a line of the report, too."""
    try:
        async for check in found:
            yield check
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks tell more
        advice = str(error) if isinstance(error, CommandError) else f"{type(error).__name__}: {error}"
        yield Check(f"{what} could not be checked", fine=False, advice=advice)
