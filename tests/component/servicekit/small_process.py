"""A service for test_process: it tells on standard output which of its calls came, and its work can be made to end."""

import asyncio
import os
import sys

from starlette.applications import Starlette

from servicekit.process import Service, run
from servicekit.settings import ServiceSettings
from servicekit.web.health import Checks


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


class Small(Service):
    """Does nothing, and says so."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.app = Starlette()

    def checks(self) -> Checks:
        return {"small": lambda: None}

    async def work(self) -> None:
        say("work")
        if os.environ.get("SMALL_FAILS"):
            raise RuntimeError("it does not go on")
        try:
            await asyncio.Event().wait()
        finally:
            say("cancelled")
            if os.environ.get("SMALL_FAILS_AT_ITS_END"):
                raise RuntimeError("it could not save where it was")

    def stopping(self) -> None:
        say("stopping")

    async def drain(self) -> None:
        say("drain")

    async def close(self) -> None:
        say("close")


if __name__ == "__main__":
    run("small", ServiceSettings, Small)
