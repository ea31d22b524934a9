"""Places where a test makes a process die, freeze or lose an answer, and protections that a test can switch off.

Off unless SWITCHHOOK_FAILPOINTS is set, for example
`seed=7;kill=0.03@in_txn,after_commit;freeze=0.01:9s@after_commit;commit_unknown=0.01;publish_fails=0.005:10s`:
`kill` and `freeze` act with that probability each time one of the named points is passed; the other two are points of
their own. With `calm=4s` nothing acts in the first four seconds after the first point, nor after a freeze.
SWITCHHOOK_BROKEN=outbox|fence|dedupe|lease names a protection to leave out, so that a checker can prove that it would
notice.
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass, field
from functools import cache

import structlog

FAILPOINTS = "SWITCHHOOK_FAILPOINTS"
BROKEN = "SWITCHHOOK_BROKEN"

log = structlog.get_logger()


@dataclass(slots=True)
class Failpoints:
    """What a setting asks for. `kill` and `freeze`: point -> probability; `seconds` is how long a freeze lasts."""

    dice: random.Random
    kill: dict[str, float] = field(default_factory=dict)
    freeze: dict[str, tuple[float, float]] = field(default_factory=dict)
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
        if self.dice.random() >= probability:
            return False
        self.open_until[point] = now + seconds
        return True

    def pass_by(self, point: str) -> None:
        """Die or freeze here, if the dice say so."""
        if time.monotonic() < self.calm_until:
            return
        if self.dice.random() < self.kill.get(point, 0.0):
            os.kill(os.getpid(), signal.SIGKILL)
        probability, seconds = self.freeze.get(point, (0.0, 0.0))
        if self.dice.random() < probability:
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
            found.dice.seed(f"{chance}/{salt}")
        elif name == "calm":
            found.calm = float(chance.removesuffix("s"))
            found.calm_until = time.monotonic() + found.calm
        elif name == "kill":
            found.kill.update(dict.fromkeys(points.split(","), float(chance)))
        elif name == "freeze":
            found.freeze.update(dict.fromkeys(points.split(","), (float(chance), seconds)))
        elif name in ("commit_unknown", "publish_fails"):
            found.windows[name] = (float(chance), seconds)
        else:
            raise ValueError(f"{FAILPOINTS}: unknown failpoint {name!r}")
    return found


@cache
def _active() -> Failpoints | None:
    text = os.environ.get(FAILPOINTS)
    return parse(text, salt=os.getpid()) if text else None


async def failpoint(point: str) -> None:
    """Pass a named point. Blocks the whole process while frozen, as a stalled machine would."""
    active = _active()
    if active is not None:
        active.pass_by(point)


def strikes(point: str) -> bool:
    """Whether `commit_unknown` or `publish_fails` acts now."""
    active = _active()
    return active is not None and active.strikes(point)


def armed(point: str) -> bool:
    """Whether anything can happen at that point in this process."""
    active = _active()
    return active is not None and (point in active.kill or point in active.freeze or point in active.windows)


@cache
def broken(protection: str) -> bool:
    """Whether that protection (outbox, fence, dedupe, lease) is to be left out."""
    return protection in os.environ.get(BROKEN, "").split(",")
