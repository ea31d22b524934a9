"""What one project's flood costs another one: its p99 from the request to the delivery, with the flood and without.

The neighbour posts to a trigger 100 times a second, and its webhooks arrive at a sink. Beside it, one kind of flood after
the other comes through the public doors, in rounds by turns with quiet ones; a figure is the median of the rounds.

The rates leave the machine's cores half idle: on two cores a flood that takes all of one slows everybody down, however
well it is kept apart, and what is to be seen here is whether the neighbour waits in a queue, behind a lock or for a share.
A second has, by kind:

- turns: 5 starts of a flow whose template is a bomb of tests/bombs (`liquid_nested_loops`), which costs all that one may
- code: 2 starts of a flow with a code node that never ends, which has 0.1 s of a core each
- chains: 2 starts of a flow that runs a command for 64 people, each of whom is told 10 messages
- refusals: 30 starts of a flow whose webhook is answered 404
- slow: 5 events for each of 20 ordered endpoints that let each request time out
- checks: 1 check of a flow of 200 KB at the registry
"""

from __future__ import annotations

import asyncio
import contextlib
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from bench.e2e import body, event_id, introduce_people
from bench.flows import one_node, webhook_flow
from bench.load import Load
from bench.measure import median, quantile, report
from bench.rig import Rig, Sink, neighbour, options, process, rig, sink
from devstack.paths import ROOT

RATE = 100
ROUNDS = 5
BETWEEN_SECONDS = 2.0
"""What a flood left behind is done with before the next round."""
BOMB = ROOT / "tests" / "bombs" / "programs" / "liquid_nested_loops.toml"
SLOW_ENDPOINTS = 20
ENDLESS = "while True:\n    pass"
CHECKED = 200_000
CHAINED, TOLD = 64, 10
"""Commands of one turn, as many as there may be; messages that each of them leads to."""
JSON_TYPE = {"content-type": "application/json"}


class Flood(NamedTuple):
    """`prepare(flooder, url)` gives what is posted; `url` is of a server that is no good."""

    per_second: int
    prepare: Callable[[Rig, str], Awaitable[Load]]


@dataclass(slots=True)
class Seen:
    """p99 of each round, milliseconds."""

    quiet: list[float] = field(default_factory=list)
    flooded: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return round(median(self.flooded) / median(self.quiet), 3)


async def posts(flooder: Rig, document: dict[str, Any]) -> Load:
    """Starts of a flow, for one of 1,000 people each."""
    trigger, token = await flooder.trigger(document)
    headers = JSON_TYPE | {"authorization": f"Bearer {token}", "prefer": "respond-async"}
    return Load(f"{flooder.stack.service('ingress').base_url}/v1/run/{trigger}", headers, body)


async def turns(flooder: Rig, url: str) -> Load:
    source = tomllib.loads(BOMB.read_text())["source"]
    return await posts(flooder, one_node("bomb", {"type": "set", "values": {"memory.text": source}}))


async def code(flooder: Rig, url: str) -> Load:
    return await posts(flooder, one_node("endless", {"type": "code", "source": ENDLESS}))


async def chains(flooder: Rig, url: str) -> Load:
    run = f"for number in range({CHAINED}):\n    run('/told', user_id=f'p{{number}}')"
    document = one_node("chains", {"type": "code", "source": run})
    document["triggers"].append({"id": "told", "type": "command", "value": "/told", "to": "told"})
    document["nodes"]["told"] = {"type": "say", "parts": [{"text": str(number)} for number in range(TOLD)]}
    return await posts(flooder, document)


async def refusals(flooder: Rig, url: str) -> Load:
    return await posts(flooder, webhook_flow(f"{url}/refused"))


async def slow(flooder: Rig, url: str) -> Load:
    """Endpoints that hear of each run, by one attempt of a second's patience and one more."""
    document = one_node("heard", {"type": "set", "values": {"memory.text": "x"}})
    fields = {"events": ["flow.completed"], "ordered": True, "timeout_seconds": 1, "schedule": [1]}
    for number in range(SLOW_ENDPOINTS):
        await flooder.api.post("/v1/endpoints", fields | {"url": f"{url}/slow/{number}"})
    return await posts(flooder, document)


async def checks(flooder: Rig, url: str) -> Load:
    text = "{{ memory[memory['a']] }}" * (CHECKED // 25)
    document = one_node("large", {"type": "say", "parts": [{"text": text}]})
    headers = JSON_TYPE | {"authorization": f"Bearer {flooder.stack.secrets.admin_token}"}
    url = f"{flooder.stack.service('registry').base_url}/v1/flows/check?project={flooder.project}"
    content = orjson.dumps({"document": document})
    return Load(url, headers, lambda _: content)


FLOODS = {
    "turns": Flood(5, turns),
    "code": Flood(2, code),
    "chains": Flood(2, chains),
    "refusals": Flood(30, refusals),
    "slow": Flood(5, slow),
    "checks": Flood(1, checks),
}


async def quiet_round(load: Load, target: Sink, seconds: float) -> float:
    """p99 from each post to its arrival, milliseconds."""
    outcome = await load.at_rate(RATE, seconds)
    if outcome.failed:
        raise RuntimeError(f"{outcome.failed} posts of the neighbour failed")
    arrived = (await target.wait_for(outcome.done))["by_id"]
    return quantile([(arrived[name] - sent) * 1000 for name, sent in outcome.sent_at.items()], 0.99)


async def flooded_round(load: Load, target: Sink, seconds: float, flood: Flood, water: Load) -> float:
    """The same while the flood is there."""
    flooding = asyncio.create_task(water.at_rate(flood.per_second, seconds + 1))
    await asyncio.sleep(1)
    p99 = await quiet_round(load, target, seconds)
    await flooding
    return p99


async def measured(load: Load, target: Sink, seconds: float, flood: Flood, water: Load) -> Seen:
    seen = Seen()
    for _ in range(ROUNDS):
        seen.quiet.append(await quiet_round(load, target, seconds))
        seen.flooded.append(await flooded_round(load, target, seconds, flood, water))
        await asyncio.sleep(BETWEEN_SECONDS)
    return seen


@contextlib.asynccontextmanager
async def closing(load: Load) -> AsyncIterator[Load]:
    try:
        yield load
    finally:
        await load.close()


async def main(seconds: float, only: str) -> None:
    chosen = {name: flood for name, flood in FLOODS.items() if only in ("", name)}
    each = seconds / (2 * ROUNDS * len(chosen))
    async with rig() as bench, sink() as target, process("bench.refusing") as (_, port), neighbour(bench) as flooder:
        await introduce_people(bench)
        await introduce_people(flooder)
        trigger, token = await bench.trigger(webhook_flow(f"{target.url}/hook"))
        headers = JSON_TYPE | {"authorization": f"Bearer {token}", "prefer": "respond-async"}
        url = f"{bench.stack.service('ingress').base_url}/v1/run/{trigger}"
        async with closing(Load(url, headers, body, event_id)) as load:
            await quiet_round(load, target, each)
            seen = {}
            for name, flood in chosen.items():
                async with closing(await flood.prepare(flooder, f"http://127.0.0.1:{port}")) as water:
                    seen[name] = await measured(load, target, each, flood, water)
    ratios = {name: found.ratio for name, found in seen.items()}
    p99 = {name: {"quiet": median(found.quiet), "flooded": median(found.flooded)} for name, found in seen.items()}
    report("neighbours", worst_ratio=max(ratios.values()), **ratios, p99_ms=p99, rounds=ROUNDS)


if __name__ == "__main__":
    given = options(seconds=240.0, only="")
    asyncio.run(main(given.seconds, given.only))
