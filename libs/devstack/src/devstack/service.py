"""One of Switchhook's own services, run as a process of its own."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import aiohttp

from devstack.child import Child
from devstack.ports import HOST, claim
from devstack.server import Server, make_folder
from operations.services import MODULES

SECRETS = frozenset({"SWITCHHOOK_DATABASE", "SWITCHHOOK_ADMIN_TOKEN", "SWITCHHOOK_KEK", "SWITCHHOOK_LINK_KEY"})
PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2)


class Service(Server):
    """One replica of a service; its port stays the same over restarts."""

    def __init__(self, instance: str, service: str, *, folder: Path, log: Path, env: Mapping[str, str]) -> None:
        """`instance` is the replica's name; `env` holds its settings, added to our own environment."""
        self.instance, self.service = instance, service
        self.env = {**inherited_environment(), **env, "SWITCHHOOK_INSTANCE": instance}
        """Its whole environment; a change holds from the next start on."""
        self._folder = folder
        self._port = 0
        command = [sys.executable, "-m", MODULES[service]]
        super().__init__(Child(instance, command, log=log, pid_file=folder / "pid", cwd=folder))

    def forget(self, names: Iterable[str]) -> None:
        """Take settings away that it would have from our own environment."""
        for name in names:
            self.env.pop(name, None)

    def run_by(self, python: Path) -> None:
        """From its next start on it is the code of this interpreter's environment: another release's, say."""
        self._child.command = [str(python), "-m", MODULES[self.service]]

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the first start."""
        return self._port

    @property
    def base_url(self) -> str:
        """Its own address, health and metrics included; the outside goes through the proxy."""
        return f"http://{HOST}:{self._port}"

    async def _launch(self) -> None:
        make_folder(self._folder)
        self._child.end_leftover()
        self._port = claim(self._port, self.instance)
        self._child.env = {**self.env, "SWITCHHOOK_PORT": str(self._port)}
        await self._child.start()

    async def is_ready(self) -> bool:
        try:
            async with (
                aiohttp.ClientSession(timeout=PROBE_TIMEOUT) as session,
                session.get(f"{self.base_url}/health/ready") as response,
            ):
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def inherited_environment() -> dict[str, str]:
    """Our own environment without the stack's secrets: each service is given those that it may know."""
    return {name: value for name, value in os.environ.items() if name not in SECRETS}


def service_of(instance: str) -> str:
    """The service that an instance's name belongs to: `flow-engine-2` is a `flow-engine`."""
    stem = instance.rstrip("0123456789").removesuffix("-")
    if stem not in MODULES:
        raise ValueError(f"{instance} is not an instance of {', '.join(MODULES)}")
    return stem
