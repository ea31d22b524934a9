"""Plays the scripts of flow files, with code nodes in the sandbox that the engine has."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from channels.discovery import installed
from flowlang.model import RunCode
from flowlang.running.bot_flows import BotFlows
from flowlang.simulation.stage import Surroundings, flows_of, links_of
from flowtools.channel_facts import facts
from flowtools.files import FlowFile
from flowtools.sandbox import Sandbox

Result = TypeVar("Result")
SECONDS_OF_CODE = 1.0
"""Ten times what the engine gives: this machine may be busy, and nobody waits behind."""


def bot_of(file: FlowFile, beside: Sequence[FlowFile] = ()) -> BotFlows:
    """The bot that has this flow and those beside it. Raises FlowInvalid."""
    return flows_of(one.document for one in (file, *beside))


def surroundings() -> Surroundings:
    """Of a bot that is known by its files alone: the channels that are installed."""
    return Surroundings({}, channels=facts(installed()))


class CodeRunner:
    """Runs code nodes; the sandbox starts with the first of them."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._sandbox: Sandbox | None = None

    async def __aenter__(self) -> CodeRunner:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def run(self, code: RunCode) -> dict[str, Any]:
        """The data of its `code_result`."""
        if self._sandbox is None:
            self._sandbox = await self._stack.enter_async_context(Sandbox(1, seconds=SECONDS_OF_CODE))
        return await self._sandbox.run(code, links_of(code))

    async def to_the_end(self, play: Generator[RunCode, dict[str, Any], Result]) -> Result:
        """What it comes to."""
        try:
            wanted = next(play)
            while True:
                wanted = play.send(await self.run(wanted))
        except StopIteration as ended:
            result: Result = ended.value
            return result
