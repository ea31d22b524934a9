"""From the answer to `DELETE /v1/tokens/{id}` to the first 401, in three replicas of ingress.

Each round makes a token, waits until all replicas know it, asks each of them with it without a pause, and deletes it. A
round's figure is the replica that was last to refuse it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from bench.measure import median, quantile, report
from bench.rig import Rig, options, rig
from operations.api import Api

REPLICAS = ("ingress", "ingress-2", "ingress-3")
BETWEEN_SECONDS = 0.002
"""From one answer to the next question, so that the questions themselves leave the machine some time."""
SLOWEST_SECONDS = 10.0


class Replica:
    """One replica, asked for a session that there is not: 404 for a good token, and nothing is done."""

    def __init__(self, client: aiohttp.ClientSession, base_url: str, bot: str) -> None:
        self._client, self._url = client, f"{base_url}/v1/talk/{bot}/sessions/none/messages"

    async def until(self, status: int, token: str) -> float:
        """When it first answered with that status, monotonic seconds."""
        headers = {"authorization": f"Bearer {token}"}
        async with asyncio.timeout(SLOWEST_SECONDS):
            while True:
                async with self._client.get(self._url, headers=headers) as answer:
                    await answer.read()
                    if answer.status == status:
                        return time.monotonic()
                await asyncio.sleep(BETWEEN_SECONDS)


async def revoke_one(registry: Api, replicas: Sequence[Replica], number: int) -> list[float]:
    """Milliseconds from the answer to the DELETE, of each replica; 0 where the refusal came before the answer."""
    token = await registry.post("/v1/tokens", {"name": f"revoked {number}", "scopes": ["bots:converse"]})
    await asyncio.gather(*(each.until(404, token["token"]) for each in replicas))
    refusals = [asyncio.create_task(each.until(401, token["token"])) for each in replicas]
    await registry.delete(f"/v1/tokens/{token['id']}")
    answered = time.monotonic()
    return [max(0.0, refused - answered) * 1000 for refused in await asyncio.gather(*refusals)]


async def measure(bench: Rig, seconds: float) -> list[list[float]]:
    """The rounds, without the first, which opens connections."""
    token = bench.stack.secrets.admin_token
    async with (
        Api(bench.stack.service("registry").base_url, token, bench.project) as registry,
        aiohttp.ClientSession() as client,
    ):
        replicas = [Replica(client, bench.stack.service(name).base_url, bench.bot) for name in REPLICAS]
        rounds: list[list[float]] = []
        until = time.monotonic() + seconds
        while len(rounds) < 2 or time.monotonic() < until:
            rounds.append(await revoke_one(registry, replicas, len(rounds)))
    return rounds[1:]


async def main(seconds: float) -> None:
    async with rig({name: {} for name in ("registry", *REPLICAS)}) as bench:
        rounds = await measure(bench, seconds)
    for name, refused in zip(REPLICAS, zip(*rounds, strict=True), strict=True):
        print(f"{name}: median {median(refused)} ms, p99 {quantile(refused, 0.99)} ms")
    slowest = [max(each) for each in rounds]
    report("revoke", p99_ms=quantile(slowest, 0.99), median_ms=median(slowest), unit="ms", rounds=len(rounds))


if __name__ == "__main__":
    asyncio.run(main(options(seconds=30.0).seconds))
