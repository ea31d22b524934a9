"""Lets bombs off, one after another, in a process of its own; the first that takes too long ends the process.

`python -m bombs.worker NAME/DOOR…` prints a JSON line before each and one after it: seconds of CPU and how it ended.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time

from bombs.corpus import bombs
from bombs.doors import DOORS

HARD_LIMIT_SECONDS = 3.0
MOST_MEMORY = 2 * 1024**3


def main() -> None:
    known = {bomb.name: bomb for bomb in bombs()}
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    for word in sys.argv[1:]:
        name, _, door = word.partition("/")
        bomb = known[name]
        print(json.dumps({"begun": word}), flush=True)
        signal.setitimer(signal.ITIMER_PROF, HARD_LIMIT_SECONDS)  # Its signal ends the process, whatever runs.
        begun = time.process_time()
        try:
            ended = DOORS[bomb.engine][door](bomb)
        except BaseException as error:  # noqa: BLE001 (whatever leaves a door is what the test asks for)
            ended = f"{type(error).__name__}: {str(error)[:200]}"
        seconds = time.process_time() - begun
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps({"ended": word, "seconds": round(seconds, 3), "as": ended}), flush=True)


if __name__ == "__main__":
    main()
