"""Lines of the documentation, run as they stand there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path


async def shell(script: str, folder: Path, variables: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-ec", script, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | variables | {"no_proxy": "*"},
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()
