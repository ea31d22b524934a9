"""Where the engine's time goes: batches through its handler and into PostgreSQL, in one process, without Kafka.

`.venv/bin/python -m bench.engine_profile` prints microseconds an event of each stage; `--top 30` adds the profiler's
table, `--counted 1` takes a flow whose turns are made in worker processes.
"""

from __future__ import annotations

import cProfile
import pstats
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from pydantic import SecretStr

from bench.flows import counted_nodes, three_nodes
from bench.rig import options
from contracts import cloudevents, inbound
from contracts.ids import conversation_key, uuid7
from contracts.registry import ENTITY_MODELS, Bot, Channel, Flow, FlowVersion
from devstack.embedded_postgres import EmbeddedPostgres
from flow_engine.batch.handler import EngineHandler
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.programs import worker
from flow_engine.programs.deferring import Deferring
from flow_engine.programs.stepping import Stepping
from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.store import log_partitions
from flow_engine.store.postgres import PostgresConversations
from servicekit.kafka.records import Record, pack_outgoing
from servicekit.loop.batches import Batch
from servicekit.memory import tune_collector
from servicekit.migrate import migrate_async
from servicekit.workers.pool import WorkerPool

PROJECT, BOT, CHANNEL = (str(uuid7()) for _ in range(3))
PEOPLE, BATCH = 2_000, 250


class _View:
    """The registry view over a few entities."""

    offset = 0

    def __init__(self, *entities: Any) -> None:
        kinds = {model: kind for kind, model in ENTITY_MODELS.items()}
        self._of = {(kinds[type(one)], getattr(one, "id", None)): one for one in entities}
        self._versions = {f"{v.flow_id}/{v.version}": v for v in entities if isinstance(v, FlowVersion)}

    def on_change(self, listener: Any) -> None: ...

    async def knows(self, stamps: Any, timeout: float) -> bool:
        return True

    def get(self, kind: str, id: str) -> Any:
        return self._of.get((kind, id))

    def data(self, kind: str, id: str) -> bytes:
        return self._versions[id].encode()

    def find_all(self, kind: str, index: str, value: Any) -> list[Any]:
        return [one for (of, _), one in self._of.items() if of == kind and getattr(one, index) == value]


def _view(document: dict[str, Any]) -> _View:
    flow = str(uuid7())
    return _View(
        Bot(id=BOT, project_id=PROJECT, name="bench"),
        Channel(id=CHANNEL, project_id=PROJECT, bot_id=BOT, type="telegram", name="telegram"),
        Flow(id=flow, project_id=PROJECT, bot_id=BOT, slug=document["slug"], name="Three nodes", published=1),
        FlowVersion(flow_id=flow, project_id=PROJECT, bot_id=BOT, version=1, document=document),
    )


def _records(first: int, count: int) -> list[Record]:
    now, made = cloudevents.now_text(), []
    for offset in range(first, first + count):
        peer = str(offset * 7919 % PEOPLE)
        body = inbound.MessageReceived(
            project_id=PROJECT, bot_id=BOT, channel_id=CHANNEL, peer_id=peer, channel_type="telegram",
            received_at=now, message_id=str(offset), text="/go", provider={"pad": "x" * 500},
        )  # fmt: skip
        about = cloudevents.headers(id=str(uuid7()), type="inbound.message", source="bench", time=now, project=PROJECT)
        key = conversation_key(BOT, CHANNEL, peer).encode()
        made.append(Record(inbound.TOPIC.name, 0, offset, int(time.time() * 1000), key, body.encode(), tuple(about)))
    return made


async def _run(dsn: str, count: int, profiler: cProfile.Profile | None, document: dict[str, Any]) -> dict[str, float]:
    """Microseconds an event by stage, the first fifth not counted."""
    await migrate_async("flow_engine", dsn)
    async with (
        asyncpg.create_pool(dsn, min_size=2, server_settings={"search_path": "flow_engine", "jit": "off"}) as pool,
        WorkerPool(worker.TARGET, LinkMaker(None, ""), most=3) as workers,
        pool.acquire() as connection,
    ):
        await log_partitions.keep_up(connection, log_partitions.logs(None, 9))
        store = PostgresConversations(pool, Pseudonyms(SecretStr("k" * 32)))
        deferring = Deferring(Stepping(None, workers))  # type: ignore[arg-type]  # no code nodes
        handler = EngineHandler(store, RegistryCatalogue(_view(document), LinkMaker(None, "")), deferring)  # type: ignore[arg-type]
        try:
            return await _measured(handler, connection, count, profiler)
        finally:
            await store.close()


async def _measured(
    handler: EngineHandler, connection: Any, count: int, profiler: cProfile.Profile | None
) -> dict[str, float]:
    spent, measured, first = dict.fromkeys(("apply", "save", "pack", "cpu"), 0.0), 0, 0
    while first < count:
        if first * 5 >= count and not measured and profiler:
            profiler.enable()
        took = await _batch(handler, connection, _records(first, BATCH))
        applied = int(took.pop("records"))
        first += applied
        if first * 5 > count:
            measured += applied
            spent = {stage: spent[stage] + took[stage] for stage in spent}
    if profiler:
        profiler.disable()
    return {stage: round(seconds / measured * 1e6, 1) for stage, seconds in spent.items()}


async def _batch(handler: EngineHandler, connection: Any, records: list[Record]) -> dict[str, float]:
    cpu, start = time.process_time(), time.perf_counter()
    commit = await handler.apply(Batch(records, {0: 1}))
    applied = time.perf_counter()
    async with connection.transaction():
        await commit.save(connection)
    saved = time.perf_counter()
    pack_outgoing([outgoing for _, made in commit.outgoing for outgoing in made])
    packed = time.perf_counter()
    return {
        "apply": applied - start, "save": saved - applied, "pack": packed - saved,
        "cpu": time.process_time() - cpu, "records": commit.applied or len(records),
    }  # fmt: skip


async def _on_a_server(
    folder: Path, count: int, profiler: cProfile.Profile | None, document: dict[str, Any]
) -> dict[str, float]:
    server = EmbeddedPostgres(folder)
    await server.start()
    try:
        return await _run(server.dsn, count, profiler, document)
    finally:
        await server.stop()


def main() -> None:
    chosen = options(events=20_000, top=0, counted=0)
    tune_collector()
    profiler = cProfile.Profile() if chosen.top else None
    with tempfile.TemporaryDirectory() as folder:
        document = counted_nodes() if chosen.counted else three_nodes()
        print("microseconds an event:", uvloop.run(_on_a_server(Path(folder), chosen.events, profiler, document)))
    if profiler:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(chosen.top)


if __name__ == "__main__":
    main()
