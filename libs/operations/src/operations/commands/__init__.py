"""The verbs, one module for each: what the terminal gives comes in, what it is told goes out.

Each module has a Typer application or a function; `application` makes a command of all of them. What a verb does is in the
packages beside this.
"""

from __future__ import annotations

import sys

import typer

from operations.commands import acls, checkpoints, erasures, letters, projects, topics
from operations.commands.keys import rotate_kek
from operations.commands.migrations import migrate_tables
from operations.commands.setup import set_up
from operations.commands.top import watch
from operations.errors import CommandError
from operations.installation import Find


def application(name: str, about: str, find: Find) -> typer.Typer:
    """A command with all verbs of an operator. `about`: its help. `find`: what gives a verb its installation when it asks."""
    app = typer.Typer(name=name, help=about, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

    @app.callback()
    def begin(context: typer.Context) -> None:
        context.obj = find

    app.add_typer(topics.app, name="topics")
    app.add_typer(acls.app, name="acls")
    app.add_typer(checkpoints.app, name="checkpoints")
    app.add_typer(letters.dlq_app, name="dlq")
    app.add_typer(letters.held_app, name="held")
    app.add_typer(erasures.app, name="erasures")
    app.add_typer(projects.project_app, name="project")
    app.add_typer(projects.token_app, name="token")
    app.command("setup")(set_up)
    app.command("migrate")(migrate_tables)
    app.command("rotate-kek")(rotate_kek)
    app.command("top")(watch)
    return app


def run(app: typer.Typer) -> None:
    """Run the command, as a process; a CommandError becomes its sentence and exit code 1."""
    name = app.info.name
    try:
        app(prog_name=name)
    except CommandError as error:
        typer.echo(f"{name}: {error}", err=True)
        sys.exit(1)
