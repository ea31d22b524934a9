"""Runs code nodes in worker processes: no files, no network, bounded time and memory; the clock and the random numbers
are the event's own.

Every run has a session of its own, so nothing of one run is seen by the next. `send` and `run` only collect.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import orjson
from pydantic_monty import AsyncMonty, MontyError, MontyRuntimeError, OSPolicy, ResourceLimits

from contracts.web_url import web_url
from flowlang.expressions.values import MOST_LEVELS, is_too_deep
from flowlang.model import RunCode

SECONDS = 0.1
LONGEST_RUN = 2 * SECONDS
"""Seconds until a run that does not end is ended, with its grace. What took longer was this process's own standstill."""
MEMORY = 16 * 1024 * 1024
MOST_EFFECTS = 64
VALUE_LIMIT = 64 * 1024
SESSIONS_PER_WORKER = 500
"""A worker process is replaced after so many."""
# What a run's own code, or a value it returns, can raise here.
_FAILURES = (MontyError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError, TimeoutError)

MakeUrl = Callable[[dict[str, Any]], str]
"""From {command, content, user_id, redirect_to} to a generated URL."""


class RunsCode(Protocol):
    """What turns need of the sandbox."""

    async def run(self, code: RunCode, make_url: MakeUrl) -> dict[str, Any]:
        """The data of a code_result: {wait, ok, value, sent, runs, error}. Passing a limit is a failed step, not an exception."""
        ...


class _Stopped(Exception):
    """What `fail` raises inside the sandbox."""


class _Collector:
    """The functions that the code sees, and what it asked for."""

    def __init__(self, make_url: MakeUrl) -> None:
        self.sent: list[str] = []
        self.runs: list[dict[str, Any]] = []
        self.failed: str | None = None
        self._make_url = make_url

    def send(self, text: Any) -> None:
        self._room(self.sent)
        self.sent.append(_as_text(text))

    def run(self, command: str, user_id: Any = None, content: Any = None) -> None:
        self._room(self.runs)
        self.runs.append({"command": str(command), "user_id": user_id, "content": _plain(content)})

    def url_for(self, command: str, content: Any = None, user_id: Any = None, redirect_to: str | None = None) -> str:
        away = None if redirect_to is None else _web_url(redirect_to)
        return self._make_url(
            {"command": command, "content": _plain(content), "user_id": user_id, "redirect_to": away}
        )  # fmt: skip

    def fail(self, text: Any = "") -> None:
        self.failed = _as_text(text)
        raise _Stopped(self.failed)

    def _room(self, taken: list[Any]) -> None:
        if len(taken) >= MOST_EFFECTS:
            raise ValueError(f"at most {MOST_EFFECTS} a run")

    def functions(self) -> dict[str, Any]:
        return {"send": self.send, "run": self.run, "url_for": self.url_for, "fail": self.fail}


class Sandbox:
    """A pool of worker processes. Enter it before the first run."""

    def __init__(self, processes: int, *, seconds: float = SECONDS) -> None:
        """`seconds`: so long a run may take, by the clock on the wall."""
        self._limits = ResourceLimits(
            max_feed_duration_secs=seconds,
            max_memory=MEMORY,
            max_recursion_depth=200,
            max_suspensions=4 * MOST_EFFECTS,
            max_total_sleep_secs=0,
        )
        self._pool = AsyncMonty(
            min_processes=1,
            max_processes=processes,
            max_checkouts_per_worker=SESSIONS_PER_WORKER,
            feed_duration_limit_grace=seconds,
        )

    async def __aenter__(self) -> Sandbox:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._pool.__aexit__(*exception)

    async def run(self, code: RunCode, make_url: MakeUrl) -> dict[str, Any]:
        """See RunsCode."""
        collected = _Collector(make_url)
        value, error = None, None
        try:
            value = _plain(await self._feed(code, collected))
        except _FAILURES as failure:
            error = _describe(failure)
        if collected.failed is not None:
            error = collected.failed
        return {
            "wait": code.wait,
            "ok": error is None,
            "value": value if error is None else None,
            "sent": collected.sent,
            "runs": collected.runs,
            "error": error,
        }

    async def _feed(self, code: RunCode, collected: _Collector) -> Any:
        policy = OSPolicy(
            datetime=datetime.fromisoformat(code.now), sleep="zero", random_start={"seed": code.seed}
        )  # fmt: skip
        async with self._pool.checkout(script_name="code", limits=self._limits, os_policy=policy) as session:
            return await session.feed_run(
                code.source,
                inputs=code.inputs,
                external_lookup=collected.functions(),
                print_callback=_discard,
            )


def _discard(_stream: str, _text: str) -> None:
    """What code prints goes nowhere."""


def _describe(failure: BaseException) -> str:
    if isinstance(failure, MontyRuntimeError) and isinstance(failure.exception(), _Stopped):
        return str(failure.exception())
    return str(failure)[:1000] or type(failure).__name__


def _web_url(value: Any) -> str:
    """Where a visitor may be sent. Raises ValueError."""
    try:
        return web_url(str(value))
    except ValueError as error:
        raise ValueError(f"redirect_to: {error}") from error


def _as_text(value: Any) -> str:
    text = value if isinstance(value, str) else _encode(value).decode()
    if len(text) > VALUE_LIMIT:
        raise ValueError(f"a text of more than {VALUE_LIMIT} characters")
    return text


def _plain(value: Any) -> Any:
    """The value as JSON has it. Raises ValueError when it is none, or too large."""
    encoded = _encode(value)
    if len(encoded) > VALUE_LIMIT:
        raise ValueError(f"a value of more than {VALUE_LIMIT} bytes")
    plain = orjson.loads(encoded)
    if is_too_deep(plain):
        raise ValueError(f"a value of more than {MOST_LEVELS} levels")
    return plain


def _encode(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise ValueError(f"not a JSON value: {type(value).__name__}") from error
