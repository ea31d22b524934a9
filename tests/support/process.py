"""`python -m support.process MODULE ARGUMENT…`: `main` of a module of ours in a process that starts as a service does."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module

from servicekit.importing import importing

if __name__ == "__main__":
    with importing():
        module = import_module(sys.argv[1])
    asyncio.run(module.main(*sys.argv[2:]))
