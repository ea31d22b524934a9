"""`python -m support.contained ARGUMENTS…`: pytest with these, on a Kafka and a PostgreSQL that testcontainers starts.

They are the images of deploy/compose, reached on the loopback interface, configured as `./switchhook dev` has them. Docker is
asked at DOCKER_HOST or at its own socket; where there is neither, podman serves one for the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

from containers.bases import OFFICIAL, have_all
from containers.podman import podman_settings
from devstack import embedded_kafka, embedded_postgres
from devstack.embedded_kafka import BROKER_SETTINGS, new_cluster_id
from devstack.embedded_postgres import NO_SYNC, SERVER_SETTINGS
from devstack.ports import HOST, free_port
from support.stack import Servers

START_SECONDS = 120.0
POSTGRES_PORT = 5432
OWN_PLACE = ("listen_addresses", "unix_socket_directories")
"""Settings of PostgreSQL that a container's are not."""
FORMAT_AND_RUN = """\
printf %s "$PROPERTIES" > /tmp/server.properties
cd /tmp && /opt/kafka/bin/kafka-storage.sh format --cluster-id "$CLUSTER" --config server.properties
exec /opt/kafka/bin/kafka-server-start.sh server.properties
"""


@contextlib.contextmanager
def contained_servers() -> Iterator[Servers]:
    """The pair, until the end of the block."""
    port = free_port()
    properties = "".join(f"{name}={value}\n" for name, value in kafka_settings(port).items())
    env = {"PROPERTIES": properties, "CLUSTER": new_cluster_id(), "KAFKA_HEAP_OPTS": "-Xmx512m"}
    with tempfile.TemporaryDirectory(prefix="switchhook-contained-") as made, contextlib.ExitStack() as running:
        running.enter_context(started("kafka", {port: port}, env, command=["sh", "-c", FORMAT_AND_RUN]))
        password, file = secrets.token_urlsafe(24), Path(made) / "password"
        file.write_text(password)
        settings = {name: value for name, value in (SERVER_SETTINGS | NO_SYNC).items() if name not in OWN_PLACE}
        options = " ".join(f"--set={name}={value}" for name, value in settings.items())
        env = {"POSTGRES_PASSWORD_FILE": "/run/password", "POSTGRES_INITDB_ARGS": options}
        local = free_port()
        volumes = [(str(file), "/run/password", "ro")]
        running.enter_context(started("postgres", {POSTGRES_PORT: local}, env, volumes=volumes))
        servers = Servers(f"{HOST}:{port}", f"postgresql://postgres:{password}@{HOST}:{local}/postgres")
        asyncio.run(until_ready("Kafka", lambda: embedded_kafka.answers(servers.kafka, node=1)))
        asyncio.run(until_ready("PostgreSQL", lambda: embedded_postgres.answers(servers.postgres)))
        yield servers


def kafka_settings(port: int) -> dict[str, str]:
    """Of one broker that clients reach at this port, inside and outside."""
    return BROKER_SETTINGS | {
        "node.id": "1",
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://localhost:{port + 1}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.voters": f"1@localhost:{port + 1}",
    }


@contextlib.contextmanager
def started(kind: str, ports: dict[int, int], env: dict[str, str], **more: Any) -> Iterator[None]:
    """A container; `ports`: of it -> of this machine, where nobody else reaches them."""
    from testcontainers.core.container import DockerContainer  # Reads its settings where it is imported.

    container = DockerContainer(OFFICIAL[kind], env=env, **more)
    container.ports = cast(Any, {str(inner): (HOST, outer) for inner, outer in ports.items()})
    with container:
        yield


async def until_ready(name: str, answers: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it answers. RuntimeError when it does not in time."""
    deadline = time.monotonic() + START_SECONDS
    while not await answers():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not answer within {START_SECONDS:.0f} s.")
        await asyncio.sleep(0.2)


@contextlib.contextmanager
def docker_socket() -> Iterator[None]:
    """Docker's, or podman's where there is no other; RuntimeError when there is neither."""
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"  # We stop what we start; ryuk would be one more image to pull.
    if "DOCKER_HOST" in os.environ or Path("/var/run/docker.sock").exists():
        yield
        return
    if shutil.which("podman") is None:
        raise RuntimeError("There is neither docker nor podman: install one, or set DOCKER_HOST.")
    with tempfile.TemporaryDirectory(prefix="switchhook-podman-") as made:
        socket = Path(made) / "podman.sock"
        os.environ["DOCKER_HOST"] = f"unix://{socket}"
        have_all(print, ("kafka", "postgres"))
        service = subprocess.Popen(
            ["podman", "system", "service", "--time=0", os.environ["DOCKER_HOST"]], env=os.environ | podman_settings()
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not socket.exists():
                if service.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("podman serves no socket: see what `podman system service` says.")
                time.sleep(0.05)
            yield
        finally:
            service.terminate()
            service.wait()


def main(arguments: list[str]) -> int:
    """pytest's exit code."""
    began = time.monotonic()
    with docker_socket(), contained_servers() as servers:
        print(f"Kafka and PostgreSQL answer after {time.monotonic() - began:.1f} s", flush=True)
        named = {"SWITCHHOOK_TEST_KAFKA": servers.kafka, "SWITCHHOOK_TEST_POSTGRES": servers.postgres}
        return subprocess.run(
            [sys.executable, "-m", "pytest", *arguments], env=os.environ | named, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
