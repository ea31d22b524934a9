"""The `switchhook-ops` command: an operator's verbs for the installation that the environment names."""

from __future__ import annotations

import sys

import typer

from operations.commands import add_to
from operations.commands.doctor import examine
from operations.errors import CommandError

app = typer.Typer(
    name="switchhook-ops",
    help="What an operator does about a Switchhook installation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
add_to(app)
app.command("doctor")(examine)


@app.callback()
def operate(context: typer.Context) -> None:
    """What an operator does about a Switchhook installation."""
    from operations.environment import from_environment

    context.obj = from_environment()


def main() -> None:
    """Run the command; a CommandError becomes its sentence and exit code 1."""
    try:
        app(prog_name="switchhook-ops")
    except CommandError as error:
        typer.echo(f"switchhook-ops: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
