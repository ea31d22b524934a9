"""The story on a throw-away stack, told aloud. Exit code 0 only if every chapter came out as it should."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from devstack.stack import Stack
from operations.errors import CommandError
from support.fake_telegram import fake_telegram
from support.reached import reached
from support.receiver import receiver
from support.story import Story
from support.trace_picture import draw


async def run(picture: str) -> None:
    with tempfile.TemporaryDirectory(prefix="switchhook-demo-", ignore_cleanup_errors=True) as folder:
        traces = str(Path(folder) / "traces.jsonl")
        env = {"SWITCHHOOK_TRACE_SAMPLE": "1", "SWITCHHOOK_TRACE_FILE": traces}
        narrate("Starting Kafka, PostgreSQL and the services …")
        async with (
            fake_telegram() as telegram,
            receiver() as far_end,
            Stack(Path(folder), env=env, report=narrate) as stack,
        ):
            await Story(reached(stack), telegram, far_end, narrate).tell()
        if picture:
            draw(Path(traces), Path(picture))
    narrate("\nEvery step came out as it should.")


def narrate(line: str) -> None:
    print(line, flush=True)


def main(words: Sequence[str]) -> int:
    """`--trace FILE` draws the trace of one event."""
    picture = words[1] if words[:1] == ["--trace"] else ""
    try:
        asyncio.run(run(picture))
    except (AssertionError, CommandError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
