"""What the tests on the whole stack stand on."""

from __future__ import annotations

from typing import NamedTuple

from bench.chaos.attack import Log

from devstack.stack import Stack
from support.otlp import Collector

TRACES = "traces.jsonl"
"""In the stack's folder: the spans of requests that began a trace."""


class Ground(NamedTuple):
    """The stack, who hears of its crashes, and where its spans go."""

    stack: Stack
    log: Log
    collector: Collector
