"""A run on a throw-away stack. The last line is the verdict as JSON; exit code 0 only if nothing is wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench.chaos import faults, one_at_a_time
from bench.chaos.attack import SERVICES, Log, attack
from bench.chaos.checker import Verdict
from bench.chaos.rounds import WIDE_RATE, endure
from bench.chaos.schedule import ENGINE_SECONDS, STORM, chosen, schedule
from bench.chaos.small_disks import Disks, may_mount, small_disks
from devstack.stack import Stack
from operations.errors import CommandError


async def run(options: argparse.Namespace, names: list[str], log: Log) -> dict[str, Verdict]:
    """Fault -> verdict."""
    known, verdicts = schedule(), dict[str, Verdict]()
    for wide in (False, True):
        some = [name for name in names if (name != STORM and known[name].wide) == wide]
        if some:
            verdicts |= await run_on_a_stack(wide, options, some, log)
    return verdicts


async def run_on_a_stack(wide: bool, options: argparse.Namespace, names: list[str], log: Log) -> dict[str, Verdict]:
    """The same, of faults that need the same stack: `wide`, or not."""
    env = one_at_a_time.SETTINGS if wide else faults.SETTINGS
    services, brokers = (one_at_a_time.SERVICES, one_at_a_time.BROKERS) if wide else (SERVICES, 1)
    with tempfile.TemporaryDirectory(prefix="switchhook-chaos-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with small_disks(folder) if needs_disks(names) else contextlib.nullcontext() as disks:
            async with Stack(folder, services=services, env=env, report=log, brokers=brokers) as stack:
                verdicts = {name: await judged(stack, name, options, log, disks) for name in names}
        if not all(verdict.sound for verdict in verdicts.values()):
            keep_logs(folder / "logs", log)
        return verdicts


def keep_logs(logs: Path, log: Log) -> None:
    """What the servers and services said is not thrown away with the stack when something was wrong."""
    kept = Path(tempfile.mkdtemp(prefix="switchhook-chaos-logs-"))
    shutil.copytree(logs, kept, dirs_exist_ok=True)
    log(f"the logs are in {kept}")


async def judged(stack: Stack, name: str, options: argparse.Namespace, log: Log, disks: Disks | None) -> Verdict:
    """One fault, reported."""
    log(f"{name} …")
    began = time.monotonic()
    if name == STORM:
        with_people = not options.broken
        verdict, crowd = await attack(
            stack, options.seconds, options.seed, options.broken, log, with_people=with_people
        )
        log(f"  {crowd.refused} requests were refused and sent again, {log.crashes} processes ended")
    else:
        fault = schedule(options.engine_away)[name]
        verdict = await endure(stack, fault, log, disks, wide_rate=options.rate)
    log(f"{name}: {'sound' if verdict.sound else 'WRONG'} after {time.monotonic() - began:.0f} s {verdict.figures()}")
    return verdict


def needs_disks(names: list[str]) -> bool:
    """Whether one of the faults fills a disk."""
    return any(name != STORM and schedule()[name].needs_disks for name in names)


def possible(names: list[str], log: Log) -> list[str]:
    """Without those that this machine does not allow, each of which is said."""
    if may_mount():
        return names
    left_out = [name for name in names if needs_disks([name])]
    if left_out:
        log(f"left out, since only root on Linux may mount small disks: {', '.join(left_out)}")
    return [name for name in names if name not in left_out]


def main() -> int:
    parser = argparse.ArgumentParser(prog="switchhook chaos")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="may be repeated; all without")
    parser.add_argument("--seconds", type=float, default=60, help="of the storm")
    parser.add_argument("--seed", type=int, default=1, help="of the storm")
    parser.add_argument("--broken", choices=("outbox", "fence", "dedupe", "lease"), help="a control: the storm alone")
    parser.add_argument("--engine-away", type=float, default=ENGINE_SECONDS, metavar="SECONDS")
    parser.add_argument("--rate", type=float, default=WIDE_RATE, help="events a second, on three brokers")
    options, log = parser.parse_args(), Log()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Disks are unmounted then, too.
    try:
        names = possible([STORM] if options.broken else chosen(options.fault), log)
    except CommandError as error:
        parser.error(str(error))
    verdicts = asyncio.run(run(options, names, log))
    print(
        json.dumps({"seed": options.seed, "broken": options.broken, "crashes": log.crashes, **figures(verdicts)}),
        flush=True,
    )
    return 0 if all(verdict.sound for verdict in verdicts.values()) else 1


def figures(verdicts: dict[str, Verdict]) -> dict[str, object]:
    return {"faults": {name: verdict.figures() for name, verdict in verdicts.items()}}


if __name__ == "__main__":
    sys.exit(main())
