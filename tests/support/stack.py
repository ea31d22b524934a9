"""Kafka and PostgreSQL for a test run: those that the environment names, or a throw-away pair of our own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devstack.child import under_launcher

SESSION_SECONDS = 2.0
"""Of consumers in component tests: who is gone is found to be gone so soon. The broker allows one second."""


@dataclass(frozen=True)
class Servers:
    """`kafka` is `host:port`; `postgres` the DSN of a superuser, who may make databases and roles."""

    kafka: str
    postgres: str


@contextlib.contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """The pair that SWITCHHOOK_TEST_KAFKA and SWITCHHOOK_TEST_POSTGRES name, else one that lives in `folder`."""
    named = os.environ.get("SWITCHHOOK_TEST_KAFKA"), os.environ.get("SWITCHHOOK_TEST_POSTGRES")
    if named[0] and named[1]:
        yield Servers(named[0], named[1])
        return
    embedded = [sys.executable, "-m", "devstack.embedded", "--dir", str(folder), "--no-sync"]
    command = under_launcher(embedded, die_by=signal.SIGTERM)
    # A session of its own: Ctrl-C is for pytest, which stops the pair after its tests.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as pair:
        assert pair.stdout is not None
        assert pair.stderr is not None
        try:
            lines = [pair.stdout.readline() for _ in range(2)]
            addresses = dict(line.strip().split("=", 1) for line in lines if line)
            if len(addresses) < 2:
                raise RuntimeError(f"the test servers did not start: {pair.stderr.read()}")
            yield Servers(addresses["SWITCHHOOK_KAFKA"], addresses["SWITCHHOOK_DATABASE"])
        finally:
            pair.terminate()
            pair.wait()
