"""A stack that begins as an installation of the release before, and whose replicas run either code."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bench.chaos.faults import SETTINGS

from devstack.service import service_of
from devstack.stack import Stack
from operations.services import OWNERS
from upgrade.releases import HERE, Code

REPLICAS = ("registry", "ingress", "flow-engine", "flow-engine-2", "dispatcher", "dispatcher-2")


class Mixed(Stack):
    """Topics and tables are those of `old` until `upgraded`."""

    def __init__(self, folder: Path, old: Code, **more: Any) -> None:
        super().__init__(folder, services={}, env=SETTINGS, sync=False, **more)
        self.old = old
        self._now = old

    async def make_topics(self) -> None:
        """Those of the release that the installation is at."""
        if self._now is HERE:
            await super().make_topics()
            return
        env = {"SWITCHHOOK_KAFKA": self.bootstrap_servers, **SETTINGS}
        await asyncio.to_thread(self.old.run, "devstack", "topics", "create", "--replicas", "1", **env)

    async def make_tables(self) -> None:
        """Those of the release that the installation is at."""
        if self._now is HERE:
            await super().make_tables()
            return
        for service, schema in OWNERS.items():
            env = {"SWITCHHOOK_DATABASE": self.dsn(service)}
            await asyncio.to_thread(self.old.run, "servicekit.migrate", schema, **env)

    async def upgraded(self) -> None:
        """Topics first, then tables, as docs/how-to/operate.md says."""
        self._now = HERE
        await self.make_topics()
        await self.make_tables()

    async def replace(self, code: Code, *services: str) -> None:
        """All replicas of these services, one after the other, by those of a release."""
        for service in services:
            for instance in [each for each in REPLICAS if service_of(each) == service]:
                replica = self.service(instance)
                await replica.stop()
                replica.run_by(code.python)
                await replica.start()

    @property
    def behind(self) -> list[str]:
        """The services whose tables the new release changes."""
        return [service for service, schema in OWNERS.items() if self._differs(service, schema)]

    def _differs(self, service: str, schema: str) -> bool:
        return self.old.revision(service, schema) != HERE.revision(service, schema)
