"""A run on a throw-away stack. The last line is the verdict as JSON; exit code 0 only if nothing is wrong."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from bench.chaos import faults
from bench.chaos.attack import SERVICES, Log, attack
from bench.chaos.checker import Verdict
from bench.chaos.workload import Crowd
from devstack.stack import Stack


async def run(seconds: float, seed: int, broken: str | None, log: Log) -> tuple[Verdict, Crowd]:
    with tempfile.TemporaryDirectory(prefix="switchhook-chaos-", ignore_cleanup_errors=True) as folder:
        async with Stack(Path(folder), services=SERVICES, env=faults.SETTINGS, report=log) as stack:
            return await attack(stack, seconds, seed, broken, log)


def main() -> int:
    parser = argparse.ArgumentParser(prog="switchhook chaos")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broken", choices=("outbox", "fence", "dedupe", "lease"))
    chosen, log = parser.parse_args(), Log()
    verdict, crowd = asyncio.run(run(chosen.seconds, chosen.seed, chosen.broken, log))
    figures = {"crashes": log.crashes, "refused": crowd.refused, "seed": chosen.seed, "broken": chosen.broken}
    print(json.dumps(verdict.figures() | figures), flush=True)
    return 0 if verdict.sound else 1


if __name__ == "__main__":
    sys.exit(main())
