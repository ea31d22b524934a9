"""One run: set up, count aloud under fire, let it settle, judge. The last line is the verdict as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench.chaos import faults
from bench.chaos.checker import Verdict, judge
from bench.chaos.ear import Ear, ear
from bench.chaos.workload import Crowd, open_lines
from devstack.api import Api
from devstack.stack import Stack

SERVICES: Mapping[str, Mapping[str, str]] = {
    name: {} for name in ("registry", "ingress", "flow-engine", "flow-engine-2", "dispatcher", "dispatcher-2")
}
BOTS, CHATS = 40, 120
SETTLE_SECONDS = 300
"""However much is left; a bot writes 30 messages a second at most."""
QUIET_SECONDS = 2.5 * faults.LEASE_SECONDS
"""Nothing new for this long after everything should have come: what is missing then is lost."""


@dataclass(slots=True)
class Log:
    """Counts crashes as the supervisor reports them."""

    crashes: int = 0
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.crashes += "was killed by" in line or "ended with" in line
        print(line, file=sys.stderr, flush=True)


async def run(seconds: float, seed: int, broken: str | None) -> tuple[Verdict, Log, Crowd]:
    """A whole run on a throw-away stack."""
    log = Log()
    env = {
        "SWITCHHOOK_SESSION_TIMEOUT_SECONDS": str(faults.SESSION_SECONDS),
        "SWITCHHOOK_LEASE_SECONDS": str(faults.LEASE_SECONDS),
    } | ({"SWITCHHOOK_BROKEN": broken} if broken else {})
    with tempfile.TemporaryDirectory(prefix="switchhook-chaos-", ignore_cleanup_errors=True) as folder:
        async with ear() as far_end, Stack(Path(folder), services=SERVICES, env=env, report=log) as stack:
            crowd = await assemble(stack, far_end)
            await faults.arm(stack, seed, broken)
            async with asyncio.TaskGroup() as both:
                both.create_task(crowd.count_aloud(seconds))
                if broken not in faults.ZOMBIES:
                    both.create_task(faults.from_outside(stack, seed, seconds, log))
            await faults.zombies_wake(broken)
            await faults.disarm(stack)
            counted = await settle(stack, crowd, far_end)
            twice = await taken_twice(stack)
            log(f"deliveries: {await states(stack)}")
    return judge(crowd.accepted, far_end.heard, counted, twice), log, crowd


async def assemble(stack: Stack, far_end: Ear) -> Crowd:
    """A project with its bots, and the people who will talk to them."""
    token = stack.secrets.admin_token
    async with Api(stack.base_url, token) as operator:
        project = (await operator.post("/v1/projects", {"name": "chaos"}))["id"]
    async with Api(stack.base_url, token, project) as api:
        return Crowd(await open_lines(api, far_end.url, BOTS), CHATS)


async def settle(stack: Stack, crowd: Crowd, far_end: Ear) -> dict[str, int]:
    """Wait until everything came, or nothing new has come for long enough: what state counts then."""
    wanted = {(chat, f"{count}") for chat, count in crowd.accepted.items()}
    deadline, quiet_since, heard = time.monotonic() + SETTLE_SECONDS, time.monotonic(), -1
    while time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS):
        if len(far_end.heard) != heard:
            heard, quiet_since = len(far_end.heard), time.monotonic()
        if wanted <= {(chat, text.split(":")[0]) for chat, text in far_end.heard}:
            break
        await asyncio.sleep(0.5)
    # What a zombie or a stale lease would still send, it sends within a lease.
    await asyncio.sleep(faults.LEASE_SECONDS + 2)
    return await counts(stack)


async def counts(stack: Stack) -> dict[str, int]:
    """Chat -> count, from the people's profiles."""
    connection = await asyncpg.connect(stack.dsn("flow-engine"))
    try:
        rows = await connection.fetch(COUNTS)
    finally:
        await connection.close()
    return {row["peer_id"]: int(row["count"] or 0) for row in rows}


async def taken_twice(stack: Stack) -> dict[str, int]:
    """Chat -> how many of its messages became more than one delivery."""
    connection = await asyncpg.connect(stack.dsn("dispatcher"))
    try:
        return {row[0]: row[1] for row in await connection.fetch(TAKEN_TWICE)}
    finally:
        await connection.close()


async def states(stack: Stack) -> dict[str, int]:
    """How the dispatcher's rows ended, for who has to find out why something is missing."""
    connection = await asyncpg.connect(stack.dsn("dispatcher"))
    try:
        rows = await connection.fetch("SELECT state, count(*) FROM dispatcher.delivery GROUP BY state ORDER BY state")
    finally:
        await connection.close()
    return {row[0]: row[1] for row in rows}


TAKEN_TWICE = """
SELECT split_part(conversation, '/', 3), count(*)::int - count(DISTINCT seq)::int FROM dispatcher.delivery
 WHERE kind = 'message' GROUP BY 1 HAVING count(*) > count(DISTINCT seq)
"""
COUNTS = """
SELECT split_part(conversation.key, '/', 3) AS peer_id, contact.variables ->> 'count' AS count
FROM flow_engine.conversation JOIN flow_engine.contact ON contact.id = conversation.contact_id
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="switchhook chaos")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broken", choices=("outbox", "fence", "dedupe", "lease"))
    chosen = parser.parse_args()
    verdict, log, crowd = asyncio.run(run(chosen.seconds, chosen.seed, chosen.broken))
    figures = {"crashes": log.crashes, "refused": crowd.refused, "seed": chosen.seed, "broken": chosen.broken}
    print(json.dumps(verdict.figures() | figures), flush=True)
    return 0 if verdict.sound else 1


if __name__ == "__main__":
    sys.exit(main())
