"""deploy/compose in a folder of its own, run by podman: brought up, spoken to, killed and taken down."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from containers.compose_command import docker_command
from containers.podman import Failed, inspected, podman, podman_settings
from containers.probes import probing
from devstack.paths import ROOT
from support.reached import Reached

SERVICES = ("ingress", "flow-engine", "dispatcher", "registry")
ROOT_CERTIFICATE = "/data/caddy/pki/authorities/local/root.crt"
PRIVATE_NETWORKS = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
"""Where podman's bridges lie: over one of them the dispatcher reaches what the test plays of the outside world."""


class Composed:
    """An installation whose files lie in `folder`/deploy/compose."""

    def __init__(self, folder: Path, project: str, docker: Mapping[str, str]) -> None:
        self.checkout, self.project = folder, project
        self.folder = folder / "deploy" / "compose"
        https, http, self.kafka_port = free_ports(3)
        self.base_url = f"https://localhost:{https}"
        self.env = {
            **os.environ, **podman_settings(), **docker,
            "COMPOSE_PROJECT_NAME": project,
            "SWITCHHOOK_DOMAIN": "localhost",
            "SWITCHHOOK_PUBLIC_URL": self.base_url,
            "SWITCHHOOK_ALLOWED_NETWORKS": PRIVATE_NETWORKS,
            "HTTPS_PORT": str(https), "HTTP_PORT": str(http), "KAFKA_PORT": str(self.kafka_port),
            "EDGE_SUBNET": "10.77.77.0/24",
            "COMPOSE_FILE": "compose.yaml:kafka-port.yaml",
        }  # fmt: skip

    def sh(self, script: str, folder: Path | None = None, seconds: float = 600) -> str:
        """What commands, as a page shows them, wrote. Failed when one of them did not succeed."""
        made = subprocess.run(
            ["sh", "-euc", script], cwd=folder or self.folder, env=self.env, text=True, check=False, timeout=seconds,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if made.returncode:
            said = "\n".join(made.stdout.strip().splitlines()[-40:])
            raise Failed(f"{script.strip()} ended with {made.returncode}:\n{said}")
        return made.stdout

    def compose(self, words: str, **more: Any) -> str:
        """`docker compose …`."""
        return self.sh(f"docker compose {words}", **more)

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{self.project}-{service}-1"

    def state(self, service: str) -> dict[str, Any]:
        """What podman says of a container's State."""
        found: dict[str, Any] = inspected(self.container(service))["State"]
        return found

    def image(self, service: str) -> str:
        """The name of the image that a container runs."""
        return str(inspected(self.container(service))["ImageName"])

    def kill(self, service: str) -> None:
        """The process of a container dies on the spot; its restart policy is to start it again."""
        if pid := self.state(service)["Pid"]:
            os.kill(pid, signal.SIGKILL)

    def wait_healthy(self, *services: str, seconds: float = 120) -> None:
        """Return once all of them run and their health checks say so."""
        end = time.monotonic() + seconds
        while waiting := [each for each in services or (*SERVICES, "kafka-1", "postgres") if not self.healthy(each)]:
            if time.monotonic() > end:
                raise AssertionError(f"not healthy after {seconds} s: {', '.join(waiting)}")
            time.sleep(0.2)

    def healthy(self, service: str) -> bool:
        """Whether a container runs and its health check, run now, succeeds."""
        command = ["podman", "healthcheck", "run", self.container(service)]
        return subprocess.run(command, env=self.env, capture_output=True, check=False).returncode == 0

    def host_address(self) -> str:
        """This machine as the dispatcher sees it: the gateway of its network to the outside."""
        networks = inspected(self.container("dispatcher"))["NetworkSettings"]["Networks"]
        return str(networks[f"{self.project}_outside"]["Gateway"])

    def secret(self, name: str) -> str:
        """What a file of ./secrets holds."""
        return (self.folder / "secrets" / name).read_text()

    def certificate(self) -> str:
        """Of the authority that signs the gateway's certificate for `localhost`: its own."""
        return self.compose(f"exec -T gateway cat {ROOT_CERTIFICATE}")

    def reached(self) -> Reached:
        """The installation for a program on this machine, which logs in to Kafka as somebody who may do anything."""
        kafka = {
            "bootstrap.servers": f"localhost:{self.kafka_port}",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "broker",
            "sasl.password": self.secret("kafka_broker"),
        }
        tls = ssl.create_default_context(cadata=self.certificate())
        return Reached(self.base_url, self.secret("admin_token"), kafka, str, tls)


@contextmanager
def composed(scratch: Path, project: str) -> Iterator[Composed]:
    """A copy of what an operator has of a checkout; whatever runs at the end is taken down, volumes included."""
    folder = scratch / "checkout"
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("secrets", ".env"))
    script = folder / "switchhook"
    script.write_text(f'#!/bin/sh\nexec {ROOT}/switchhook "$@"\n')
    script.chmod(0o755)
    with docker_command(scratch) as docker, probing(project):
        made = Composed(folder, project, docker)
        try:
            yield made
        finally:
            remove(project)


def remove(project: str) -> None:
    """Everything that podman has of a compose project."""
    label = f"label=com.docker.compose.project={project}"
    for container in podman("ps", "--all", "--quiet", "--filter", label).split():
        podman("rm", "--force", "--time", "0", container)
    for kind in ("network", "volume"):
        for each in podman(kind, "ls", "--quiet", "--filter", label).split():
            podman(kind, "rm", "--force", each)


def free_ports(count: int) -> list[int]:
    """Ports of this machine on which nobody listens."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return found
