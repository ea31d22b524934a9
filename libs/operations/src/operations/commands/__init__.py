"""The verbs, one module for each: what the terminal gives comes in, what it is told goes out.

Each module has a Typer application; `add_to` gives them to another one. What a verb does is in the packages beside this.
"""

from __future__ import annotations

import typer

from operations.commands import acls, checkpoints, letters, projects, topics
from operations.commands.keys import rotate_kek
from operations.commands.migrations import migrate_tables
from operations.commands.setup import set_up
from operations.commands.top import watch


def add_to(app: typer.Typer) -> None:
    """Offer all verbs of an operator. The application's callback puts an Installation into its context."""
    app.add_typer(topics.app, name="topics")
    app.add_typer(acls.app, name="acls")
    app.add_typer(checkpoints.app, name="checkpoints")
    app.add_typer(letters.dlq_app, name="dlq")
    app.add_typer(letters.held_app, name="held")
    app.add_typer(projects.project_app, name="project")
    app.add_typer(projects.token_app, name="token")
    app.command("setup")(set_up)
    app.command("migrate")(migrate_tables)
    app.command("rotate-kek")(rotate_kek)
    app.command("top")(watch)
