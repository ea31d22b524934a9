"""Medians, ratios, CPU of process trees, and the one line of JSON that every bench ends with."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil


def median(values: Iterable[float]) -> float:
    """The median, rounded to what is not noise on a busy machine."""
    return round(statistics.median(values), 4)


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure; a round that has none of it counts as 0."""
    return {
        name: median(each.get(name, 0.0) for each in rounds) for name in sorted({k for each in rounds for k in each})
    }


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile (0 to 1) of at least one value, by nearest rank."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 3)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its living children, seconds."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def resident_mb(pid: int) -> float:
    """Resident memory of one process, MiB."""
    return float(round(psutil.Process(pid).memory_info().rss / 2**20, 1))


@dataclass(frozen=True, slots=True)
class CpuMeter:
    """CPU of named processes since the meter was made."""

    pids: Mapping[str, int]
    before: Mapping[str, float]

    @classmethod
    def start(cls, pids: Mapping[str, int]) -> CpuMeter:
        return cls(dict(pids), {name: cpu_seconds(pid) for name, pid in pids.items()})

    def ms_per_event(self, events: int) -> dict[str, float]:
        """CPU milliseconds an event, of each process."""
        return {
            name: round((cpu_seconds(pid) - self.before[name]) * 1000 / events, 4) for name, pid in self.pids.items()
        }


def report(bench: str, **figures: Any) -> None:
    """The last line of a bench."""
    print(json.dumps({"bench": bench, **figures}), flush=True)


def report_ratio(bench: str, ours: Sequence[float], raw: Sequence[float], unit: str, **more: Any) -> None:
    """Medians of the rounds and their ratio, ours to raw."""
    mine, bare = median(ours), median(raw)
    report(bench, ours=mine, raw=bare, ratio=round(mine / bare, 3), unit=unit, rounds=len(ours), **more)
