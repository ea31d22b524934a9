"""`rotate-kek`: how far the way to another key-encryption key is."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from operations.commands.checkpoints import Database
from operations.errors import CommandError
from operations.installation import installation

LOOK_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
"""The registry seals anew every ten seconds: as long as this without any change, it does not."""

Current = Annotated[str, typer.Option(help="The id of the key that seals. Without it: the first in SWITCHHOOK_KEK.")]
Wait = Annotated[bool, typer.Option("--wait", help="Until nothing is sealed with another key.")]


def rotate_kek(context: typer.Context, current: Current = "", wait: Wait = False, database: Database = "") -> None:
    """How many secrets each key-encryption key has still sealed, and what may be taken away when.

    The registry seals anew by itself once the new key stands first in its SWITCHHOOK_KEK (docs/how-to/operate.md). Exit code 1
    while an older key has sealed something.
    """
    from operations.sealed_keys import key_ids

    here = installation(context)
    first = current or next(iter(key_ids(here.kek)), "")
    if not first:
        raise CommandError(
            "It is not known which key seals: set SWITCHHOOK_KEK as the registry has it, or give --current."
        )
    raise typer.Exit(asyncio.run(_follow(here.database("registry", database), first, wait)))


async def _follow(dsn: str, current: str, wait: bool) -> int:
    from operations.sealed_keys import left_of, sealed_with, told, when

    sealed = await sealed_with(dsn)
    for line in told(sealed, current):
        typer.echo(line)
    left, quiet = left_of(sealed, current), 0.0
    while wait and left:
        await asyncio.sleep(LOOK_SECONDS)
        sealed = await sealed_with(dsn)
        quiet = quiet + LOOK_SECONDS if left_of(sealed, current) == left else 0.0
        if left_of(sealed, current) != left:
            left = left_of(sealed, current)
            typer.echo(f"{left} secrets are left")
        if left and quiet >= PATIENCE_SECONDS:
            raise CommandError(
                f"{left} secrets are not sealed anew: {current} has to stand first in the registry's SWITCHHOOK_KEK, and the"
                " keys that sealed them behind it; its log (secrets.resealed, secrets.unreadable) says more."
            )
    for line in when(sealed, current):
        typer.echo(line)
    return int(left > 0)
