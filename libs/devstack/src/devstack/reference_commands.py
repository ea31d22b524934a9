"""The page about the operator's commands, from the application that has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from devstack.field_tables import table
from operations.cli import app

ABOUT = """
`switchhook-ops` has these for any installation, which its environment names ([settings](settings.md)); `./switchhook` has them for the stack
that `dev` runs. An option that is not given takes what the installation says. [Operate it](../how-to/operate.md) says when each is
wanted.
"""


def page(note: str) -> str:
    """A section for each verb, in the order in which `--help` lists them."""
    root = typer.main.get_command(app)
    return "".join([f"# The operator's commands\n{note}{ABOUT}", *map(_section, _verbs(root, ()))])


Verb = tuple[tuple[str, ...], Any]
"""The words that it is called by, and the command."""
Parameter = TyperArgument | TyperOption


def _verbs(command: Any, path: tuple[str, ...]) -> Iterator[Verb]:
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name, each in command.commands.items():
        yield from _verbs(each, (*path, name))


def _section(verb: Verb) -> str:
    path, command = verb
    said = "\n".join(line.strip() for line in (command.help or "").strip().splitlines())
    rows = [(f"`{_name(each)}`", _default(each), _meaning(each)) for each in command.params if each.name != "help"]
    told = "\n" + table(("argument or option", "default", "what it is"), rows) if rows else ""
    return f"\n## {' '.join(path)}\n\n{said}\n{told}"


def _name(parameter: Parameter) -> str:
    if isinstance(parameter, TyperOption):
        return ", ".join([*parameter.opts, *parameter.secondary_opts])
    return parameter.metavar or str(parameter.name).upper()


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "needed"
    value = parameter.default
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "—" if value in (None, "", ()) else f"`{value}`"


def _meaning(parameter: Parameter) -> str:
    said = parameter.help or "—"
    variable = parameter.envvar
    return f"{said} Also `{variable}`." if isinstance(variable, str) else said
