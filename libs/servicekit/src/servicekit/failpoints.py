"""Places where a test makes a process die, freeze or lose an answer, and protections that a test can switch off.

Off unless SWITCHHOOK_FAILPOINTS is set, for example
`seed=7;kill=0.03@in_txn,after_commit;freeze=0.01:9s@after_commit;commit_unknown=0.01;publish_fails=0.005:10s`:
`kill` and `freeze` act with that probability each time one of the named points is passed; the last two are points of
their own. `stop=0.5@before_txn` freezes once and for as long as somebody outside likes (SIGSTOP, until SIGCONT). With `calm=4s` nothing acts in the first four seconds after the first point, nor after a freeze.
SWITCHHOOK_BROKEN=outbox|fence|dedupe|lease names a protection to leave out, so that a checker can prove that it would
notice. Neither has an effect, and no service starts with one of them, unless SWITCHHOOK_CHAOS=1.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import structlog

from servicekit.misconfigured import Misconfigured

FAILPOINTS = "SWITCHHOOK_FAILPOINTS"
BROKEN = "SWITCHHOOK_BROKEN"
CHAOS = "SWITCHHOOK_CHAOS"
PROTECTIONS = frozenset({"outbox", "fence", "dedupe", "lease"})

log = structlog.get_logger()


@dataclass(slots=True)
class Failpoints:
    """What a setting asks for. `kill`, `freeze` and `stop`: point -> probability; a freeze has its seconds, too."""

    generator: random.Random
    kill: dict[str, float] = field(default_factory=dict)
    freeze: dict[str, tuple[float, float]] = field(default_factory=dict)
    stop: dict[str, float] = field(default_factory=dict)
    windows: dict[str, tuple[float, float]] = field(default_factory=dict)
    open_until: dict[str, float] = field(default_factory=dict)
    calm: float = 0.0
    calm_until: float = 0.0

    def strikes(self, point: str) -> bool:
        """Whether the point (`commit_unknown`, `publish_fails`) acts now; one with a duration then acts that long."""
        probability, seconds = self.windows.get(point, (0.0, 0.0))
        if not probability:
            return False
        now = time.monotonic()
        if now < self.calm_until:
            return False
        if now < self.open_until.get(point, 0.0):
            return True
        if self.generator.random() >= probability:
            return False
        self.open_until[point] = now + seconds
        return True

    def pass_by(self, point: str) -> None:
        """Die or freeze here, if chance has it."""
        if time.monotonic() < self.calm_until:
            return
        if self.generator.random() < self.kill.get(point, 0.0):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.generator.random() < self.stop.get(point, 0.0):
            self.stop.clear()
            os.kill(os.getpid(), signal.SIGSTOP)
        probability, seconds = self.freeze.get(point, (0.0, 0.0))
        if self.generator.random() < probability:
            log.warning("failpoint.freeze", point=point, seconds=seconds)
            time.sleep(seconds)
            log.warning("failpoint.woke", point=point)
            self.calm_until = time.monotonic() + self.calm


def parse(text: str, *, salt: int = 0) -> Failpoints:
    """Read a setting. Raises ValueError for what it does not know."""
    found = Failpoints(random.Random(salt))  # noqa: S311 - chooses where to fail, nothing secret
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, _, rest = part.partition("=")
        amount, _, points = rest.partition("@")
        chance, _, duration = amount.partition(":")
        seconds = float(duration.removesuffix("s") or 0)
        if name == "seed":
            found.generator.seed(f"{chance}/{salt}")
        elif name == "calm":
            found.calm = float(chance.removesuffix("s"))
            found.calm_until = time.monotonic() + found.calm
        elif name == "kill":
            found.kill.update(dict.fromkeys(points.split(","), float(chance)))
        elif name == "stop":
            found.stop.update(dict.fromkeys(points.split(","), float(chance)))
        elif name == "freeze":
            found.freeze.update(dict.fromkeys(points.split(","), (float(chance), seconds)))
        elif name in ("commit_unknown", "publish_fails"):
            found.windows[name] = (float(chance), seconds)
        else:
            raise ValueError(f"unknown failpoint {name!r}")
    return found


def chaos() -> str | None:
    """What this process does to itself on purpose, in a sentence; None: nothing. Raises Misconfigured unless it may."""
    given = {name: value for name in (FAILPOINTS, BROKEN) if (value := os.environ.get(name))}
    if not given:
        return None
    if not _allowed():
        raise Misconfigured(f"{' and '.join(given)} would make it fail on purpose, which takes {CHAOS}=1, too")
    try:
        parse(given.get(FAILPOINTS, ""))
    except ValueError as error:
        raise Misconfigured(f"{FAILPOINTS} cannot be read: {error}") from error
    unknown = sorted(set(given.get(BROKEN, "").split(",")) - PROTECTIONS - {""})
    if unknown:
        raise Misconfigured(f"{BROKEN} names {', '.join(unknown)}, which is none of {', '.join(sorted(PROTECTIONS))}")
    return "it fails on purpose: " + ", ".join(f"{name}={value}" for name, value in given.items())


def _allowed() -> bool:
    return os.environ.get(CHAOS) == "1"


@cache
def _active() -> Failpoints | None:
    text = os.environ.get(FAILPOINTS) if _allowed() else None
    return parse(text, salt=os.getpid()) if text else None


async def failpoint(point: str) -> None:
    """Pass a named point. Blocks the whole process while frozen, as a stalled machine would."""
    active = _active()
    if active is not None:
        active.pass_by(point)


async def failpoint_of(point: str, of_them: Callable[[], bool]) -> None:
    """Pass a point that only some batches pass, if this is one `of_them`; asked for only where something can happen."""
    if armed(point) and of_them():
        await failpoint(point)


def strikes(point: str) -> bool:
    """Whether `commit_unknown` or `publish_fails` acts now."""
    active = _active()
    return active is not None and active.strikes(point)


def armed(point: str) -> bool:
    """Whether anything can happen at that point in this process."""
    active = _active()
    return active is not None and any(
        point in acting for acting in (active.kill, active.freeze, active.stop, active.windows)
    )


@cache
def broken(protection: str) -> bool:
    """Whether that protection (outbox, fence, dedupe, lease) is to be left out."""
    return _allowed() and protection in os.environ.get(BROKEN, "").split(",")
