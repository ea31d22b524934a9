"""The whole of Switchhook on this machine: Kafka, PostgreSQL, the services and the gateway before them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from devstack.embedded import together
from devstack.embedded_kafka import EmbeddedKafka, brokers_in
from devstack.embedded_postgres import EmbeddedPostgres
from devstack.errors import StackError
from devstack.kafka_place import own_broker
from devstack.log_files import keep_small
from devstack.proxy import Proxy
from devstack.secrets_file import StackSecrets, load_secrets
from devstack.server import Server, make_folder
from devstack.service import Service, service_of
from devstack.supervisor import Report, keep_running
from operations.databases import prepare_database
from operations.errors import CommandError
from operations.installation import broker
from operations.layout import Layout
from operations.migrations import migrate
from operations.services import MODULES, OWNERS
from operations.topics import create_topics
from servicekit.kafka.cluster import Cluster

RUNNING = "running.json"
"""Holds the `Addresses` while the stack runs."""
TOPIC_PREFIX = "SWITCHHOOK_TOPIC_PREFIX"
NEEDED_DISK_BYTES = 1024 * 2**20
ALLOWED_NETWORKS = "SWITCHHOOK_ALLOWED_NETWORKS"
LOOPBACK_NETWORK = "127.0.0.0/8"
NO_SETTINGS: Mapping[str, Mapping[str, str]] = {service: {} for service in MODULES}


@dataclass(frozen=True)
class Addresses:
    """Where a running stack is reached: Kafka, the database as each service's role, and each instance's own URL."""

    kafka: str
    own_kafka: bool
    topic_prefix: str
    dsns: dict[str, str]
    services: dict[str, str]

    @property
    def cluster(self) -> Cluster:
        """The stack's place on its Kafka."""
        made = own_broker if self.own_kafka else broker
        return made(self.kafka, topic_prefix=self.topic_prefix)


def ignore(_line: str) -> None:
    """For callers who do not want to hear of crashes; the logs have them."""


class Stack:
    """`async with Stack(folder) as stack:` starts everything, in order, and stops it in the opposite order.

    A process that ends by itself is started again; one that was ended by its `stop` or `kill` stays down until its
    `start`. Attributes are valid inside the `async with`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        services: Mapping[str, Mapping[str, str]] = NO_SETTINGS,
        env: Mapping[str, str] | None = None,
        port: int = 0,
        kafka: str | None = None,
        database: str | None = None,
        report: Report = ignore,
        sync: bool = True,
        brokers: int = 1,
    ) -> None:
        """All files lie in `folder`; a stack on the same folder later goes on with its data.

        `services` maps each instance to start (`flow-engine`, `flow-engine-2`) to settings of its own, `env` holds
        settings of all. `port` is the gateway's, 0 for any. `kafka` (`host:port`) and `database` (a DSN that may
        create databases and roles) name servers to use instead of starting them. `report` gets a line per crash.
        Without `sync` the data need not outlive a crash of the machine (EmbeddedPostgres). `brokers`: 1, or 3 in a new folder,
        with each record in all of them and acknowledged when two have it.
        """
        self.folder = folder.resolve()
        self.logs = self.folder / "logs"
        self._wanted_services, self._env, self._report = services, dict(env or {}), report
        self._external_kafka, self._external_database = kafka, database
        self._brokers = brokers_in(self.folder / "kafka", brokers, log=self.logs / "kafka.log")
        self._postgres = EmbeddedPostgres(self.folder / "postgres", log=self.logs / "postgres.log", sync=sync)
        self._services: dict[str, Service] = {}
        self._proxy = Proxy(self._backend, port=port)
        self._turns: dict[str, Iterator[int]] = {service: itertools.count() for service in MODULES}
        self._supervision: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None
        self._secrets: StackSecrets | None = None
        self._dsns: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        make_folder(self.logs)
        self._lock = lock_folder(self.folder)
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    @property
    def kafka(self) -> EmbeddedKafka:
        """The embedded broker, the first of several, to kill and start."""
        return self._brokers[0]

    @property
    def brokers(self) -> Sequence[EmbeddedKafka]:
        """All embedded brokers."""
        return self._brokers

    @property
    def postgres(self) -> EmbeddedPostgres:
        """The embedded server, to kill and start."""
        return self._postgres

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of the broker, embedded or given; of several separated by commas."""
        return self._external_kafka or ",".join(each.bootstrap_servers for each in self._brokers)

    @property
    def cluster(self) -> Cluster:
        """The stack's place on its Kafka, as its services see it."""
        prefix = self._env.get(TOPIC_PREFIX, os.environ.get(TOPIC_PREFIX, ""))
        made = own_broker if self._external_kafka is None else broker
        return made(self.bootstrap_servers, topic_prefix=prefix)

    @property
    def admin_dsn(self) -> str:
        """The DSN that may do anything in the PostgreSQL server."""
        return self._external_database or self._postgres.dsn

    def dsn(self, service: str) -> str:
        """The DSN of a service's own role; `ingress` has none."""
        return self._dsns[service]

    @property
    def base_url(self) -> str:
        """The gateway's address: what the outside sees."""
        return self._proxy.base_url

    @property
    def secrets(self) -> StackSecrets:
        """What the stack was started with. StackError before its first start."""
        if self._secrets is None:
            raise StackError("The stack has no secrets yet: start it first.")
        return self._secrets

    @property
    def services(self) -> Mapping[str, Service]:
        """Instance -> service."""
        return self._services

    def service(self, instance: str) -> Service:
        """A replica by its name. KeyError when there is none."""
        return self._services[instance]

    async def add_service(
        self, instance: str, env: Mapping[str, str] | None = None, *, python: Path | None = None, wait: bool = True
    ) -> Service:
        """Start one more replica, such as `flow-engine-2`, and wait until it is ready. `python`: Service.run_by."""
        service = self._make_service(instance, env or {})
        if python is not None:
            service.run_by(python)
        await (service.start() if wait else service.launch())
        self._supervise(service)
        return service

    async def remove_service(self, instance: str) -> None:
        """Stop a replica for good."""
        await self._services.pop(instance).stop()

    async def wait_ready(self, *instances: str, seconds: float = 60) -> None:
        """Return once these services, by default all, are ready after crashes or outages."""
        await asyncio.gather(*(self.service(each).wait_ready(seconds=seconds) for each in instances or self._services))

    async def _start(self) -> None:
        self._secrets = load_secrets(self.folder / "secrets.json")
        self._supervision.append(asyncio.create_task(keep_small(self.logs)))
        public_url = self._proxy.claim_port()
        require_disk(self.folder)
        await together(self._start_kafka(), self._start_database(self._secrets))
        self._env = {
            "SWITCHHOOK_KAFKA": self.bootstrap_servers,
            "SWITCHHOOK_PUBLIC_URL": public_url,
            ALLOWED_NETWORKS: LOOPBACK_NETWORK,
        } | self._env
        for instance, settings in self._wanted_services.items():
            self._make_service(instance, settings)
        for service in self._services.values():
            await service.launch()
        await asyncio.gather(*(service.wait_ready(must_run=True) for service in self._services.values()))
        for service in self._services.values():
            self._supervise(service)
        await self._proxy.start()
        self._tell_addresses()

    def _tell_addresses(self) -> None:
        """For other commands on this folder; it holds passwords."""
        urls = {instance: service.base_url for instance, service in self._services.items()}
        own = self._external_kafka is None
        addresses = Addresses(self.bootstrap_servers, own, self.cluster.topic_prefix, self._dsns, urls)
        file = self.folder / RUNNING
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(addresses)))

    async def make_topics(self) -> None:
        """Make the topics that are not there yet."""
        await create_topics(self.cluster, layout=Layout(3, 2) if len(self._brokers) > 1 else Layout())

    async def make_tables(self) -> None:
        """Bring the services' tables up to date."""
        try:
            async for _ in migrate(self._dsns):
                pass
        except CommandError as error:
            raise StackError(f"{error} `dev --reset` starts over with empty tables.") from error

    async def _start_kafka(self) -> None:
        if self._external_kafka is None:
            await together(*(each.start() for each in self._brokers))
            for each in self._brokers:
                self._supervise(each)
        await self.make_topics()

    async def _start_database(self, secrets: StackSecrets) -> None:
        if self._external_database is None:
            await self._postgres.start()
            self._supervise(self._postgres)
        passwords = {service: secrets.database_password_of(service) for service in OWNERS}
        self._dsns = await prepare_database(self.admin_dsn, passwords)
        await self.make_tables()

    async def _stop(self) -> None:
        """Callers first, then who works for them, then what they stand on."""
        for task in self._supervision:
            task.cancel()
        await asyncio.gather(*self._supervision, return_exceptions=True)
        await self._proxy.stop()
        await self._stop_services("ingress")
        await self._stop_services("flow-engine", "dispatcher")
        await self._stop_services("registry")
        await asyncio.gather(*(each.stop() for each in self._brokers), self._postgres.stop())
        (self.folder / RUNNING).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()

    async def _stop_services(self, *kinds: str) -> None:
        await asyncio.gather(*(each.stop() for each in self._services.values() if each.service in kinds))

    def _make_service(self, instance: str, settings: Mapping[str, str]) -> Service:
        kind = service_of(instance)
        env = self.secrets.settings_for(kind) | self._env
        if kind in OWNERS:
            env["SWITCHHOOK_DATABASE"] = self._dsns[kind]
        folder = self.folder / "services" / instance
        made = Service(instance, kind, folder=folder, log=self.logs / f"{instance}.log", env=env | dict(settings))
        if self._external_kafka is None:
            made.forget(name for name in os.environ if name.startswith("SWITCHHOOK_KAFKA_"))
        self._services[instance] = made
        return made

    def _supervise(self, server: Server) -> None:
        self._supervision.append(asyncio.create_task(keep_running(server, self._report)))

    def _backend(self, kind: str) -> str | None:
        """A replica that runs and is not asked to end, in turn."""
        replicas = (each for each in self._services.values() if each.service == kind)
        running = [each.base_url for each in replicas if each.running and each.wanted]
        return running[next(self._turns[kind]) % len(running)] if running else None


def require_disk(folder: Path) -> None:
    """StackError when so little disk is free that the servers would soon fail in the middle of their work."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED_DISK_BYTES:
        raise StackError(
            f"Only {free // 2**20} MiB are free where {folder} lies: free {NEEDED_DISK_BYTES // 2**20} MiB and start again."
        )


def lock_folder(folder: Path) -> IO[str]:
    """Take the folder for this process until the file is closed; StackError while another process has it."""
    # Opened for appending: the holder's pid must stay readable for the one who is refused.
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise StackError(
            f"{folder} is in use by process {holder}: stop that one first, or wait until it has ended."
        ) from error
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
    return file


def running_stack(folder: Path) -> Addresses | None:
    """The addresses of the stack that runs on the folder; None while none does, or it is still starting."""
    try:
        with contextlib.closing(lock_folder(folder)):
            return None
    except StackError:
        file = folder / RUNNING
        return Addresses(**json.loads(file.read_text())) if file.exists() else None


def reset(folder: Path) -> None:
    """Forget all data of the stack in `folder`: Kafka and PostgreSQL together, and the secrets that belong to them."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(lock_folder(folder)):
        for part in ("kafka", "postgres", "services", "logs"):
            shutil.rmtree(folder / part, ignore_errors=True)
        for file in ("secrets.json", "seed.json"):
            (folder / file).unlink(missing_ok=True)
