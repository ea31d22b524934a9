"""An agent."""

from __future__ import annotations

from contracts.registry.entity import Owned, in_project


class Agent(Owned):
    """A person who answers in place of the bot, with tokens of its own (`Token.agent_id`).

    `bots`: whose conversations it sees; empty: those of all bots of the project.
    """

    KIND = "agent"

    name: str
    email: str
    bots: tuple[str, ...] = ()

    @property
    def unique_name(self) -> str:
        return in_project(self.project_id, self.email.casefold())
