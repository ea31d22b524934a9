"""The `switchhook-ops` command: an operator's verbs for the installation that the environment names."""

from __future__ import annotations

from operations.commands import application, run
from operations.commands.doctor import examine
from operations.installation import Installation


def named() -> Installation:
    """The installation that the environment names. CommandError when its settings do not go together."""
    from operations.environment import from_environment  # Later than the module: `--help` needs none of it.

    return from_environment()


app = application("switchhook-ops", "What an operator does about a Switchhook installation.", named)
app.command("doctor")(examine)


def main() -> None:
    """Run the command."""
    run(app)


if __name__ == "__main__":
    main()
