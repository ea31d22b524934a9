"""`doctor` of an installation, wherever it is."""

from __future__ import annotations

import asyncio

import typer

from operations.installation import installation


def examine(context: typer.Context) -> None:
    """Check an installation: services, topics, tables, checkpoints, clocks, keys, lag, disks. Exit code 1 if something needs attention."""
    from operations.examining import installation_checks
    from operations.report import told

    raise typer.Exit(asyncio.run(told(installation_checks(installation(context)), typer.echo)))
