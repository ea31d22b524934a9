"""The engine's last word on a command, told when it comes: nobody else's command waits for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from contracts.replies import RunReply
from ingress.ports import Publishing
from ingress.wire.preferences import VERDICT_SECONDS
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.kafka.records import Outgoing
from servicekit.observability.repeats import Repeated
from servicekit.web.asking import Question

WAITING_PER_PROJECT = 500
"""Commands of one project whose verdict is waited for. Who has more is told `accepted` for the others at once."""
RETRY_SECONDS = 1.0


class Verdicts:
    """One per bridge. `stop` forgets what is not told yet: its offsets are not committed, so it is judged again."""

    def __init__(self, publisher: Publishing) -> None:
        self._publisher, self._held_up = publisher, Repeated("verdict.waiting")
        self._waiting = Counter[str]()
        self._tasks: set[asyncio.Task[None]] = set()

    def room(self, project_id: str) -> bool:
        """Whether one more of this project may wait."""
        return self._waiting[project_id] < WAITING_PER_PROJECT

    def tell(
        self, project_id: str, question: Question, outcome: Callable[[RunReply | None], Outgoing]
    ) -> asyncio.Task[None]:
        """Done once Kafka has the outcome of the engine's reply, or of None when there was none in time."""
        task = asyncio.create_task(self._tell(question, outcome))
        self._waiting[project_id] += 1
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._told(task, project_id))
        return task

    async def stop(self) -> None:
        """Wait for nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell(self, question: Question, outcome: Callable[[RunReply | None], Outgoing]) -> None:
        with question:
            record = outcome(await question.answer(VERDICT_SECONDS))
        while True:
            try:
                await self._publisher.publish_many([record])
            except NotAcknowledged:
                self._held_up.warn(reason="Kafka did not acknowledge")
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _told(self, task: asyncio.Task[None], project_id: str) -> None:
        self._tasks.discard(task)
        self._waiting[project_id] -= 1
        if not self._waiting[project_id]:
            del self._waiting[project_id]
