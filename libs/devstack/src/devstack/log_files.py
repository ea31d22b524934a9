"""Keeps the files small into which the stack's processes write what they print."""

import asyncio
import contextlib
import shutil
from pathlib import Path

LARGEST_BYTES = 20 * 2**20
EVERY_SECONDS = 5.0


async def keep_small(folder: Path) -> None:
    """Rotate the logs of a folder for ever."""
    while True:
        await asyncio.to_thread(rotate_all, folder)
        await asyncio.sleep(EVERY_SECONDS)


def rotate_all(folder: Path) -> None:
    """Rotate those that have grown; one that cannot be is left for the next time."""
    for file in folder.glob("*.log"):
        with contextlib.suppress(OSError):
            rotate(file)


def rotate(file: Path, largest: int = LARGEST_BYTES) -> None:
    """Above `largest` bytes move what the file has to `<file>.1`, in place of what was there.

    The process goes on writing to the same file, which it has open for appending, so it is copied and emptied; a line that
    comes in between is lost. Without room for the copy the file is emptied all the same.
    """
    if file.stat().st_size <= largest:
        return
    older = file.with_name(f"{file.name}.1")
    try:
        shutil.copyfile(file, older)
    except OSError:
        older.unlink(missing_ok=True)
    with file.open("r+b") as emptied:
        emptied.truncate(0)
