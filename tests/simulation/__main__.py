"""One run, with all that happened in it: `./switchhook simulate --seed N`. Exit code 0 only if nothing is wrong."""

from __future__ import annotations

import argparse
import sys

from simulation.run import simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="switchhook simulate")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--broken", choices=("outbox", "fence", "dedupe", "lease"), default="")
    parser.add_argument("--quiet", action="store_true", help="only the verdict")
    chosen = parser.parse_args()
    report = simulate(chosen.seed, broken=chosen.broken, write=None if chosen.quiet else print)
    print(f"digest {report.digest:08x} of {report.events} lines, {report.seconds:.0f} s of virtual time")
    print("\n".join(report.wrong or ["nothing is wrong"]))
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
